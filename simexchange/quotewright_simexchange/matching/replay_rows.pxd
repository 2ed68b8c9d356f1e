cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.rows cimport Rows
from quotewright.kernel.venue cimport Venue
from quotewright_simexchange.matching.queues cimport QueueModel
from quotewright_simexchange.matching.replay_market cimport Market, OwnLevel, OwnOrder

cdef int BEST_QUOTE, BID, BUY, GAP, INDEX, LEVEL_DELETE, LEVEL_SET, NO_SIDE, OFFER, SELL, SNAPSHOT_BEGIN, TRADE, UNDERLYING
cdef long long FLAG_SHIFT, INSTRUMENT_SHIFT, NO_MARKET, ROW_WORDS, SIDE_SHIFT
cdef int AFTER_GAP, ARRIVED, AT_PRICE, THROUGH
cdef int IS_BOOK, HAD_SNAPSHOT

cdef class MarketReplay(Venue):
    cdef public QueueModel queue
    cdef public bint unknown_side_helps
    cdef public long long conflation_ns
    cdef public list markets
    cdef public long long unknown_side_prints
    cdef public long long prints_in_gap
    cdef public long long orders_through_gap
    cpdef bint fill(self, Market market, OwnOrder order, long long price_ticks, long long lots, int kind, long long now_ns) except -1
    @cython.locals(number=cython.longlong, market=Market, at=cython.longlong, end=cython.longlong, found=cython.int)
    cpdef bint take_message(self, Rows rows, long long first, long long last, long long now_ns) except -1
    @cython.locals(is_watching=cython.bint, found=cython.int, word=cython.longlong, kind=cython.longlong, side=cython.longlong, is_bid=cython.bint, price=cython.longlong, size=cython.longlong)
    cdef int meet(self, Market market, const long long[::1] words, long long at, long long end, long long now_ns) except -1
    cpdef bint take_orders(self, Market market, Rows rows, long long first, long long last, long long now_ns) except -1
    @cython.locals(side=cython.longlong)
    cpdef bint see_trade(self, Market market, long long word, long long price, long long size, long long now_ns) except -1
    @cython.locals(level=OwnLevel)
    cpdef bint print_on(self, Market market, list levels, long long price, long long size, long long now_ns) except -1
    @cython.locals(told=cython.longlong, filled=cython.longlong, order=OwnOrder, excess=cython.longlong, lots=cython.longlong)
    cpdef bint print_at(self, Market market, OwnLevel level, long long size, long long now_ns) except -1
    @cython.locals(told=cython.longlong, order=OwnOrder, back=cython.double, ahead=cython.double)
    cpdef long long take_back(self, OwnLevel level, long long size, long long now_ns) except -1
    @cython.locals(levels=list, level=OwnLevel)
    cpdef bint see_level(self, Market market, int side, long long price, long long size, long long now_ns) except -1
    @cython.locals(taken=dict, level=OwnLevel)
    cpdef bint see_quote(self, Market market, int side, long long price, long long size, long long now_ns) except -1
    @cython.locals(was_gap=cython.bint, book=BookModel, levels=list, level=OwnLevel, kind=cython.int)
    cpdef bint see_snapshot(self, Market market, long long now_ns) except -1
    @cython.locals(best=cython.longlong, size=cython.longlong)
    cpdef bint see_snapshot_level(self, Market market, OwnLevel level, bint was_gap, long long now_ns) except -1
    @cython.locals(levels=list, level=OwnLevel)
    cpdef bint arrive(self, Market market, int side, long long price, int kind, long long now_ns) except -1
    @cython.locals(was=cython.longlong, gone=cython.longlong, order=OwnOrder)
    cpdef bint move_queue(self, Market market, OwnLevel level, long long size, long long now_ns) except -1
    @cython.locals(size=cython.longlong, order=OwnOrder, before=cython.double)
    cpdef bint move_told(self, Market market, OwnLevel level, long long was, long long gone, long long now_ns) except -1
    cpdef bint set_ahead(self, OwnOrder order, double ahead) except -1
    @cython.locals(behind=cython.double, share=cython.double, surplus=cython.double, ahead=cython.double)
    cpdef bint share(self, Market market, OwnOrder order, long long was, long long gone, long long size) except -1
    @cython.locals(order=OwnOrder)
    cpdef bint fill_level(self, Market market, OwnLevel level, int kind, long long now_ns) except -1
