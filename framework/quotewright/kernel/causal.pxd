cimport cython
from quotewright.kernel.rows cimport Rows

cdef long long INSTRUMENT_SHIFT, ROW_WORDS

cdef class CausalCheck:
    cdef Rows rows
    cdef const long long[::1] order
    cdef long long instruments
    cdef long long receive_before
    cdef long long event_before
    cdef long long row_before
    cdef readonly long long lowest
    cdef readonly long long highest
    @cython.locals(words='const long long[::1]', before=cython.longlong, at=cython.longlong, end=cython.longlong, receive=cython.longlong, instrument=cython.longlong)
    cpdef bint rows_hold(self, long long first, long long last) except -1
    @cython.locals(words='const long long[::1]', order='const long long[::1]', count=cython.longlong, event_before=cython.longlong, row_before=cython.longlong, at=cython.longlong, row=cython.longlong, event=cython.longlong, word=cython.longlong, lowest=cython.longlong, highest=cython.longlong)
    cpdef bint order_holds(self, long long first, long long last) except -1
