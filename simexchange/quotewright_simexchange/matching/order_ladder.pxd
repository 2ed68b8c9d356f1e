cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.rows cimport Rows

cdef int BID, OFFER
cdef long long GAP, LEVEL_SET, ORDER_ADD, ORDER_DELETE, ORDER_EXECUTE, ROW_WORDS, SIDE_SHIFT, SNAPSHOT_BEGIN

cdef class MarketOrder:
    cdef public int side
    cdef public long long price
    cdef public long long open_size
    cdef public long long arrived

cdef class OrderLadder(BookModel):
    cdef public dict orders
    cdef public dict before
    cdef public dict bid_sizes
    cdef public dict offer_sizes
    cdef public list bid_prices
    cdef public list offer_prices
    cdef public long long arrivals
    cdef public long long unknown_orders
    cpdef long long arrive(self) except -1
    @cython.locals(order=MarketOrder)
    cpdef MarketOrder find(self, long long order_id)
    @cython.locals(arrived=cython.longlong, known=MarketOrder, sizes=dict)
    cpdef bint add(self, long long order_id, int side, long long price, long long size) except -1
    @cython.locals(sizes=dict, left=cython.longlong, prices=list)
    cpdef bint shrink(self, long long order_id, MarketOrder order, long long size) except -1
    cpdef long long left_after(self, long long kind, MarketOrder order, long long size) except -1
    cpdef bint begin_snapshot(self) except -1
    @cython.locals(words='const long long[::1]', at=cython.longlong)
    cpdef bint is_of_orders(self, Rows rows, long long first, long long last) except -1
    @cython.locals(bid=cython.longlong, bid_size=cython.longlong, offer=cython.longlong, offer_size=cython.longlong)
    cpdef bint show_best(self) except -1
    @cython.locals(is_moved=cython.bint)
    cpdef bint end_message(self, bint had_snapshot, bint has_gap) except -1
    @cython.locals(words='const long long[::1]', is_touched=cython.bint, had_snapshot=cython.bint, has_gap=cython.bint, row=cython.longlong, at=cython.longlong, word=cython.longlong, kind=cython.longlong, order=MarketOrder)
    cpdef bint apply(self, Rows rows, long long first, long long last) except -1
    cpdef long long size_at(self, int side, long long price) except -1
    @cython.locals(prices=list, sizes=dict)
    cpdef list levels(self, int side, long long count)
    cpdef long long level_count(self, int side) except -1
