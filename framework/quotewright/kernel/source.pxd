from quotewright.kernel.rows cimport Rows, TapeBuffer

cdef long long NEVER

cdef class RowSource:
    cdef public Rows rows
    cdef public long long first
    cdef public long long last
    cpdef long long fill(self, long long until_ns) except? -1
    cpdef bint tap(self, TapeBuffer buffer) except -1
    cpdef bint close(self) except -1
