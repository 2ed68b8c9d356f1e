cimport cython
from quotewright.kernel.rows cimport Rows

cdef int BID, OFFER, BOOK_EMPTY, BOOK_GOOD, BOOK_STALE, BOOK_SUSPECT
cdef long long INSTRUMENT_SHIFT, LAST_BIT, ROW_WORDS

cdef class BookModel:
    cdef public int status
    cdef public long long best_bid
    cdef public long long best_bid_size
    cdef public long long best_offer
    cdef public long long best_offer_size
    cdef public long long messages
    cdef public long long crossings
    cdef public long long dropped
    cdef public bint is_partial
    cdef public bint wants_quotes
    cdef public bint wants_orders
    cpdef bint apply(self, Rows rows, long long first, long long last) except -1
    cpdef long long size_at(self, int side, long long price) except -1
    cpdef list levels(self, int side, long long count)
    cpdef long long level_count(self, int side) except -1
    @cython.locals(words='const long long[::1]', count=cython.longlong, start=cython.longlong, at=cython.longlong, word=cython.longlong)
    cpdef long long apply_messages(self, Rows rows, long long first, long long last, long long instrument) except -1
    @cython.locals(is_crossed=cython.bint)
    cpdef bint settle(self, bint had_snapshot, bint has_gap) except -1
    cpdef bint refuse_row(self, long long row, long long side, long long price, long long size) except -1
    cpdef bint mark_stale(self) except -1
    cpdef bint is_good(self) except -1
    cpdef long long mid2(self) except -1
    @cython.locals(bid=object, offer=object, bid_size=object, offer_size=object)
    cpdef double weighted_mid(self) except? -1
    @cython.locals(bid=object, offer=object)
    cpdef double spread_bps(self) except? -1
    @cython.locals(total=object, level=tuple)
    cpdef object volume(self, int side, long long count)
    @cython.locals(total=object, level=tuple)
    cpdef object volume_until(self, int side, long long price)
    @cython.locals(bids=object, offers=object)
    cpdef double imbalance(self, long long levels) except? -1
    @cython.locals(mid2=object, ratio=tuple, scale=object, lowest=object, highest=object, bids=object, offers=object)
    cpdef double imbalance_within(self, double bps) except? -1
    @cython.locals(bids=tuple, offers=tuple)
    cpdef tuple depth_arrays(self, long long count)
