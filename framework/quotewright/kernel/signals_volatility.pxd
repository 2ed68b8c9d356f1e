cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.signals cimport Signal

cdef double LN2, MEDIAN_FACTOR

cdef class MidMoves(Signal):
    cdef readonly bint in_bps
    cdef readonly double floor
    cdef double[::1] moves
    cdef long long[::1] known
    cdef long long at
    cdef readonly long long count
    cdef long long last_mid2
    @cython.locals(at=cython.longlong)
    cpdef bint sample(self, long long mid2, BookModel book) except -1
    cpdef double variance(self) except? -1
    cpdef double estimate(self) except? -1

cdef class Volatility(MidMoves):
    @cython.locals(total=cython.double, index=cython.longlong)
    cpdef double variance(self) except? -1

cdef class BipowerVolatility(MidMoves):
    @cython.locals(total=cython.double, pairs=cython.longlong, index=cython.longlong, last=cython.double, move=cython.double, _=cython.longlong)
    cpdef double variance(self) except? -1

cdef class MedianVolatility(MidMoves):
    @cython.locals(total=cython.double, triples=cython.longlong, index=cython.longlong, first=cython.double, second=cython.double, third=cython.double, middle=cython.double, _=cython.longlong)
    cpdef double variance(self) except? -1

cdef class ExponentialVolatility(MidMoves):
    cdef readonly double keep
    cdef double squares
    cdef double weight
    @cython.locals(move=cython.double)
    cpdef bint sample(self, long long mid2, BookModel book) except -1
    cpdef double variance(self) except? -1

cdef class RangeVolatility(MidMoves):
    cdef long long lowest2
    cdef long long highest2
    cdef bint is_whole
    cdef long long pending_ns
    cdef long long pending2
    cpdef bint on_best(self, long long now_ns, BookModel book) except -1
    cdef bint settle(self) except -1
    @cython.locals(at=cython.longlong)
    cpdef bint sample(self, long long mid2, BookModel book) except -1
    @cython.locals(total=cython.double, index=cython.longlong)
    cpdef double variance(self) except? -1
