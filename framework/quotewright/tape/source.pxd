cimport cython
from quotewright.kernel.rows cimport Rows
from quotewright.kernel.source cimport RowSource

cdef long long NEVER, ROW_WORDS, RECEIVE, WORD, LAST_BIT

@cython.locals(low=cython.longlong, high=cython.longlong, middle=cython.longlong)
cpdef long long row_at(Rows rows, long long time_ns) except -1

cdef class TapeSource(RowSource):
    cdef readonly object tape
    cdef readonly long long window
    cdef readonly long long released
    cdef readonly long long expected
    cdef readonly long long end
    @cython.locals(receive_ns=cython.longlong)
    cpdef long long fill(self, long long until_ns) except? -1
    @cython.locals(rows=Rows, first=cython.longlong, begin=cython.longlong, last=cython.longlong, end=cython.longlong, ahead=cython.longlong)
    cpdef bint advance(self) except -1
    cpdef bint close(self) except -1
