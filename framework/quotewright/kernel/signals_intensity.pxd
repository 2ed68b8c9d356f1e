cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.signals cimport Signal

cdef int BUY, SELL
cdef long long RUNNING, GONE

cdef class TradeIntensity(Signal):
    cdef readonly double width
    cdef readonly long long bins
    cdef readonly bint in_bps
    cdef readonly object method
    cdef readonly long long least
    cdef readonly long long skip
    cdef long long[::1] running
    cdef long long[::1] totals
    cdef long long[::1] slices
    cdef long long[::1] known
    cdef long long at
    cdef readonly long long known_count
    cdef long long last_event_ns
    cdef long long last_side
    cdef long long last_mid2
    cdef long long last_bin
    cdef long long last_slice
    cdef double scale
    cpdef double seconds(self) except? -1
    @cython.locals(away2=cython.longlong, away=cython.double)
    cdef long long bin_of(self, int side, long long price) except -1
    @cython.locals(book=BookModel, here=cython.longlong)
    cpdef bint on_trade(self, long long now_ns, long long event_ns, int side, long long price, long long size) except -1
    cdef bint put(self, long long bin, long long count) except -1
    @cython.locals(at=cython.longlong, base=cython.longlong, index=cython.longlong)
    cpdef bint sample(self, long long mid2, BookModel book) except -1
    @cython.locals(fullest=cython.longlong, seconds=cython.double, reached=cython.longlong, index=cython.longlong, k=cython.double)
    cpdef double estimate(self) except? -1
    @cython.locals(passed=cython.longlong, stopped=cython.longlong, share=cython.double, index=cython.longlong, k=cython.double)
    cdef double by_likelihood(self, long long first, long long reached, double seconds) except? -1
    @cython.locals(weights=cython.double, distances=cython.double, logs=cython.double, left=cython.longlong, points=cython.longlong, index=cython.longlong, across=cython.double, along=cython.double, away=cython.double, slope=cython.double)
    cdef double by_regression(self, long long first, long long reached, double seconds) except? -1
