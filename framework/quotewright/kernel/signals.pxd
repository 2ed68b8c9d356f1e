cimport cython
from quotewright.kernel.book cimport BookModel

cdef int BID, OFFER
cdef long long NEVER, MAX_STEPS

cdef class Signal:
    cdef readonly long long window_ns
    cdef readonly long long samples
    cdef readonly long long sample_ns
    cdef public long long next_ns
    cdef public object unit
    cdef public long long time_base_ns
    cdef public bint wants_trades
    cdef public bint wants_quotes
    cdef public double level
    cdef public bint is_known
    cdef public bint is_due
    cdef public BookModel book
    cdef public long long tick_steps
    cdef public double price_scale
    cdef public double size_scale
    cpdef bint start(self, long long now_ns) except -1
    cpdef bint sample(self, long long mid2, BookModel book) except -1
    cpdef bint on_trade(self, long long now_ns, long long event_ns, int side, long long price, long long size) except -1
    cpdef bint on_best(self, long long now_ns, BookModel book) except -1
    cpdef double estimate(self) except? -1
    cpdef double current(self) except? -1
    cpdef bint ready(self) except -1

cdef class Reading(Signal):
    cdef double[::1] taken
    cdef long long[::1] known
    cdef long long at
    cdef readonly long long known_count
    cpdef double read(self, BookModel book) except? -1
    @cython.locals(book=BookModel)
    cpdef double latest(self) except? -1
    @cython.locals(at=cython.longlong)
    cpdef bint sample(self, long long mid2, BookModel book) except -1
    @cython.locals(total=cython.double, index=cython.longlong)
    cpdef double estimate(self) except? -1
    cpdef double current(self) except? -1
    @cython.locals(book=BookModel)
    cpdef bint ready(self) except -1
    @cython.locals(mean=cython.double, total=cython.double, index=cython.longlong)
    cpdef double deviation(self) except? -1

cdef class Mid(Reading):
    cpdef double read(self, BookModel book) except? -1

cdef class WeightedMid(Reading):
    cpdef double read(self, BookModel book) except? -1

cdef class Spread(Reading):
    cpdef double read(self, BookModel book) except? -1

cdef class Imbalance(Reading):
    cdef readonly long long depth
    cdef readonly double bps
    cpdef double read(self, BookModel book) except? -1

cdef class Depth(Reading):
    cdef readonly long long depth
    cdef readonly double bps
    cpdef double read(self, BookModel book) except? -1

cdef class Concentration(Reading):
    cdef readonly long long depth
    @cython.locals(sizes=list, total=cython.double, squares=cython.double, size=object)
    cpdef double read(self, BookModel book) except? -1

@cython.locals(bids=object, offers=object, middle=cython.double, lowest=object, highest=object)
cpdef double depth_of(BookModel book, long long levels, double bps) except? -1
