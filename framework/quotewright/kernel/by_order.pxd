cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.rows cimport Rows

cdef int BID, OFFER
cdef long long GAP, LEVEL_SET, MAX_STEPS, ORDER_ADD, ORDER_DELETE, ORDER_EXECUTE, ROW_WORDS, SIDE_SHIFT, SNAPSHOT_BEGIN

cdef class BookOrder:
    cdef public int side
    cdef public long long price
    cdef public long long size

cdef class PriceQueue:
    cdef public long long size
    cdef public dict orders

cdef class ByOrderBook(BookModel):
    cdef readonly dict orders
    cdef readonly dict bids
    cdef readonly dict offers
    cdef readonly list bid_prices
    cdef readonly list offer_prices
    cdef readonly long long unknown_orders
    @cython.locals(words='const long long[::1]', is_touched=cython.bint, had_snapshot=cython.bint, has_gap=cython.bint, row=cython.longlong, at=cython.longlong, word=cython.longlong, kind=cython.longlong, is_moved=cython.bint)
    cpdef bint apply(self, Rows rows, long long first, long long last) except -1
    @cython.locals(known=BookOrder, order=BookOrder, queues=dict, queue=PriceQueue)
    cpdef bint add(self, long long row, long long order_id, int side, long long price, long long size) except -1
    @cython.locals(order=BookOrder, left=cython.longlong)
    cpdef bint lessen(self, long long kind, long long order_id, long long size) except -1
    @cython.locals(queues=dict, queue=PriceQueue, prices=list)
    cpdef bint leave_with(self, long long order_id, BookOrder order, long long size) except -1
    @cython.locals(words='const long long[::1]')
    cpdef bint is_of_orders(self, Rows rows, long long first, long long last) except -1
    cpdef bint clear(self) except -1
    @cython.locals(bid=cython.longlong, bid_size=cython.longlong, offer=cython.longlong, offer_size=cython.longlong, queue=PriceQueue, is_moved=cython.bint)
    cpdef bint show_best(self) except -1
    @cython.locals(queue=PriceQueue)
    cpdef long long size_at(self, int side, long long price) except -1
    @cython.locals(prices=list, found=list, price=cython.longlong)
    cpdef list levels(self, int side, long long count)
    cpdef long long level_count(self, int side) except -1
    @cython.locals(queue=PriceQueue)
    cpdef long long order_count(self, int side, long long price) except -1
    @cython.locals(queue=PriceQueue, found=list, order_id=object, order=BookOrder)
    cpdef list orders_at(self, int side, long long price)
    @cython.locals(found=BookOrder)
    cpdef object order(self, long long order_id)
    @cython.locals(mine=BookOrder, queue=PriceQueue, total=cython.longlong, other_id=cython.longlong, order=BookOrder)
    cpdef long long ahead_of(self, long long order_id) except? -1
