cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.signals cimport Signal

cdef int BUY, SELL

cdef class PriceImpact(Signal):
    cdef double[::1] volumes
    cdef double[::1] moves
    cdef long long[::1] known
    cdef long long at
    cdef readonly long long known_count
    cdef double running
    cdef long long last_mid2
    cdef double explained
    cpdef bint on_trade(self, long long now_ns, long long event_ns, int side, long long price, long long size) except -1
    @cython.locals(at=cython.longlong)
    cpdef bint sample(self, long long mid2, BookModel book) except -1
    @cython.locals(volume=cython.double, move=cython.double, across=cython.double, along=cython.double, above=cython.double, index=cython.longlong)
    cpdef double estimate(self) except? -1
