from quotewright.kernel.rows cimport Rows

cdef int BOOK_EMPTY, BOOK_GOOD, BOOK_STALE

cdef class BookModel:
    cdef public int status
    cdef public long long best_bid
    cdef public long long best_bid_size
    cdef public long long best_offer
    cdef public long long best_offer_size
    cdef public long long messages
    cdef public long long crossings
    cpdef bint apply(self, Rows rows, long long first, long long last) except -1
    cpdef long long size_at(self, int side, long long price) except -1
    cpdef list levels(self, int side, long long count)
    cpdef long long level_count(self, int side) except -1
    cpdef bint mark_stale(self) except -1
    cpdef bint is_good(self) except -1
    cpdef long long mid2(self) except -1
