cimport cython

cdef int BUY, SELL
cdef long long NEVER

cdef class Signal:
    cdef readonly long long window_ns
    cdef readonly long long samples
    cdef readonly long long sample_ns
    cdef readonly long long next_ns
    cdef readonly double value
    cdef readonly bint is_ready
    cpdef bint start(self, long long now_ns) except -1
    cpdef bint sample(self, long long mid2) except -1
    cpdef bint on_trade(self, int side, long long price, long long size) except -1

cdef class Volatility(Signal):
    cdef double[::1] squares
    cdef long long[::1] known
    cdef long long at
    cdef long long last_mid2
    @cython.locals(at=cython.longlong, move=cython.double, total=cython.double, count=cython.longlong, index=cython.longlong)
    cpdef bint sample(self, long long mid2) except -1

cdef class TradeFlow(Signal):
    cdef long long[::1] bought
    cdef long long[::1] sold
    cdef long long at
    cdef long long seen
    @cython.locals(bought=cython.longlong, sold=cython.longlong, index=cython.longlong)
    cpdef bint sample(self, long long mid2) except -1
    cpdef bint on_trade(self, int side, long long price, long long size) except -1
