cimport cython
from quotewright.kernel.rows cimport Rows
from quotewright_simexchange.matching.order_ladder cimport MarketOrder, OrderLadder
from quotewright_simexchange.matching.replay_market cimport Market, OwnLevel, OwnOrder
from quotewright_simexchange.matching.replay_rows cimport MarketReplay

cdef int AFTER_GAP, ARRIVED, AT_PRICE, BID, OFFER, THROUGH
cdef long long GAP, INDEX, ORDER_ADD, ORDER_DELETE, ORDER_EXECUTE, ROW_WORDS, SIDE_SHIFT, SNAPSHOT_BEGIN, UNDERLYING

cdef class OrderReplay(MarketReplay):
    @cython.locals(words='const long long[::1]', book=OrderLadder, is_touched=cython.bint, had_snapshot=cython.bint, has_gap=cython.bint, at=cython.longlong, end=cython.longlong, word=cython.longlong, kind=cython.longlong, side=cython.longlong, order=MarketOrder, left=cython.longlong, gone=cython.longlong)
    cpdef bint take_orders(self, Market market, Rows rows, long long first, long long last, long long now_ns) except -1
    @cython.locals(level=OwnLevel, is_better=cython.bint, own=OwnOrder, lots=cython.longlong, before=cython.longlong)
    cpdef bint see_execution(self, Market market, MarketOrder order, long long size, long long now_ns) except -1
    @cython.locals(level=OwnLevel, own=OwnOrder)
    cpdef bint see_less(self, Market market, MarketOrder order, long long gone) except -1
    @cython.locals(was_gap=cython.bint, levels=list, level=OwnLevel, own=OwnOrder, was_blind=cython.bint, order=MarketOrder, kind=cython.int)
    cpdef bint see_orders(self, Market market, OrderLadder book, long long now_ns) except -1
