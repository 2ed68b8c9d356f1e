cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.signals cimport Signal, depth_of

cdef int BID, OFFER
cdef long long THIN, NORMAL, DEEP

cdef class LiquidityRegime(Signal):
    cdef readonly long long depth
    cdef readonly double bps
    cdef readonly double thin
    cdef readonly double deep
    cdef double[::1] depths
    cdef double[::1] spreads
    cdef long long[::1] known
    cdef long long at
    cdef long long last
    cdef readonly long long known_count
    cdef double depth_place
    cdef double spread_place
    @cython.locals(at=cython.longlong)
    cpdef bint sample(self, long long mid2, BookModel book) except -1
    @cython.locals(depth=cython.double, spread=cython.double, shallower=cython.longlong, tighter=cython.longlong, index=cython.longlong)
    cpdef double estimate(self) except? -1

cdef class LargeOrders(Signal):
    cdef readonly long long depth
    cdef readonly double multiple
    cdef readonly double least
    cdef double[::1] medians
    cdef long long[::1] known
    cdef long long[::1] appeared
    cdef long long at
    cdef readonly long long known_count
    cdef double usual
    cdef dict tracked
    cdef readonly long long seen
    cdef readonly long long ended
    cdef double lived_ns
    @cython.locals(at=cython.longlong, total=cython.longlong, index=cython.longlong)
    cpdef bint sample(self, long long mid2, BookModel book) except -1
    @cython.locals(at=cython.longlong, levels=list, sizes=list, half=cython.longlong, usual=cython.double, index=cython.longlong, key=tuple, since_ns=cython.longlong, bound=cython.double, side=cython.longlong, price=cython.longlong, size=cython.longlong)
    cdef bint look(self, BookModel book) except -1
