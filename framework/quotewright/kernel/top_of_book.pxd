cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.rows cimport Rows

cdef int BEST_QUOTE, BID, BOOK_EMPTY, BOOK_STALE, GAP, OFFER
cdef long long MAX_STEPS, ROW_WORDS, SIDE_SHIFT

cdef class TopOfBook(BookModel):
    @cython.locals(words='const long long[::1]', at=cython.longlong, end=cython.longlong, bid=cython.longlong, bid_size=cython.longlong, offer=cython.longlong, offer_size=cython.longlong, is_touched=cython.bint, has_gap=cython.bint, kind=cython.longlong, side=cython.longlong, price=cython.longlong, size=cython.longlong, is_whole=cython.bint, is_new=cython.bint)
    cpdef bint apply(self, Rows rows, long long first, long long last) except -1
    cpdef bint forget(self) except -1
    cpdef long long size_at(self, int side, long long price) except -1
    cpdef list levels(self, int side, long long count)
    cpdef long long level_count(self, int side) except -1
