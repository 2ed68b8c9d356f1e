cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.rows cimport Rows
from quotewright.kernel.venue cimport Venue
from quotewright_simexchange.matching.queues cimport QueueModel

cdef int BEST_QUOTE, BID, BUY, GAP, LEVEL_DELETE, LEVEL_SET, NO_SIDE, OFFER, SELL, SNAPSHOT_BEGIN, TRADE
cdef long long FLAG_SHIFT, INSTRUMENT_SHIFT, LAST_BIT, NEVER, NO_MARKET, ROW_WORDS, SIDE_SHIFT
cdef int THROUGH, AT_PRICE, ARRIVED, AFTER_GAP, TAKEN

cdef class TopBook(BookModel):
    @cython.locals(words='const long long[::1]', at=cython.longlong, end=cython.longlong, is_touched=cython.bint, has_gap=cython.bint, kind=cython.longlong, price=cython.longlong)
    cpdef bint apply(self, Rows rows, long long first, long long last) except -1
    cpdef long long size_at(self, int side, long long price) except -1
    cpdef list levels(self, int side, long long count)
    cpdef long long level_count(self, int side) except -1

cdef class OwnOrder:
    cdef public long long number
    cdef public int side
    cdef public long long price
    cdef public long long price_ticks
    cdef public long long quantity_lots
    cdef public long long leaves_lots
    cdef public long long ahead
    cdef public double ahead_part
    cdef public bint is_blind
    cdef public bint post_only
    cdef public bint reduce_only

cdef class OwnLevel:
    cdef public int side
    cdef public long long price
    cdef public long long displayed
    cdef public long long printed
    cdef public list orders

cdef class Market:
    cdef public object instrument
    cdef public BookModel book
    cdef public bint is_top_only
    cdef public long long tick_steps
    cdef public long long lot_steps
    cdef public double size_unit
    cdef public list bids
    cdef public list offers
    cdef public bint is_watching
    cdef public long long bids_from
    cdef public long long offers_to
    cdef public dict taken_bids
    cdef public dict taken_offers
    cdef public bint in_gap
    cdef public long long gap_began_ns
    cdef public long long gap_ns
    cdef public long long position_lots
    cdef public object unit
    cdef public str trouble
    cdef public object min_notional

cdef class ReplayVenue(Venue):
    cdef public QueueModel queue
    cdef public object latency
    cdef public object maker_fee
    cdef public object taker_fee
    cdef public tuple maker_rate
    cdef public tuple taker_rate
    cdef public object fee_unit
    cdef public bint unknown_side_helps
    cdef Rows rows
    cdef const long long[::1] order
    cdef public long long row_count
    cdef public long long cursor
    cdef public long long next_row_ns
    cdef public long long next_command_ns
    cdef public long long next_report_ns
    cdef public long long now_ns
    cdef public long long first_ns
    cdef public list markets
    cdef public object commands
    cdef public long long last_arrival_ns
    cdef public long long last_known_ns
    cdef public list reports
    cdef public long long report_count
    cdef public long long fill_count
    cdef public dict open
    cdef public dict home
    cdef public set used
    cdef public list evidence
    cdef public long long unknown_side_prints
    cdef public long long prints_in_gap
    cdef public long long orders_through_gap
    cdef public str name
    @cython.locals(limit=cython.longlong)
    cpdef long long run(self, long long until_ns) except? -1
    @cython.locals(rows=Rows, words='const long long[::1]', order='const long long[::1]', count=cython.longlong, at=cython.longlong, now=cython.longlong, first=cython.longlong, last=cython.longlong)
    cpdef bint take_rows(self, long long limit_ns) except -1
    @cython.locals(row=cython.longlong)
    cpdef bint find_next(self) except -1
    @cython.locals(words='const long long[::1]', number=cython.longlong, market=Market, is_watching=cython.bint, is_book=cython.bint, had_snapshot=cython.bint, at=cython.longlong, end=cython.longlong, word=cython.longlong, kind=cython.longlong, side=cython.longlong, price=cython.longlong, size=cython.longlong)
    cpdef bint take_message(self, Rows rows, long long first, long long last, long long now_ns) except -1
    @cython.locals(side=cython.longlong)
    cpdef bint see_trade(self, Market market, long long word, long long price, long long size, long long now_ns) except -1
    @cython.locals(level=OwnLevel)
    cpdef bint print_on(self, Market market, list levels, long long price, long long size, long long now_ns) except -1
    @cython.locals(filled=cython.longlong, order=OwnOrder, excess=cython.longlong, lots=cython.longlong)
    cpdef bint print_at(self, Market market, OwnLevel level, long long size, long long now_ns) except -1
    @cython.locals(levels=list, level=OwnLevel)
    cpdef bint see_level(self, Market market, int side, long long price, long long size, long long now_ns) except -1
    @cython.locals(taken=dict, level=OwnLevel)
    cpdef bint see_quote(self, Market market, int side, long long price, long long size, long long now_ns) except -1
    @cython.locals(was_gap=cython.bint, book=BookModel, levels=list, level=OwnLevel, kind=cython.int)
    cpdef bint see_snapshot(self, Market market, long long now_ns) except -1
    @cython.locals(best=cython.longlong, size=cython.longlong)
    cpdef bint see_snapshot_level(self, Market market, OwnLevel level, bint was_gap) except -1
    @cython.locals(levels=list, level=OwnLevel)
    cpdef bint arrive(self, Market market, int side, long long price, int kind, long long now_ns) except -1
    @cython.locals(taken=dict)
    cpdef bint refresh(self, Market market, int side, long long price) except -1
    @cython.locals(was=cython.longlong, gone=cython.longlong, order=OwnOrder)
    cpdef bint move_queue(self, Market market, OwnLevel level, long long size) except -1
    @cython.locals(behind=cython.double, share=cython.double, surplus=cython.double, ahead=cython.double)
    cpdef bint share(self, Market market, OwnOrder order, long long was, long long gone, long long size) except -1
    @cython.locals(order=OwnOrder)
    cpdef bint fill_level(self, Market market, OwnLevel level, int kind, long long now_ns) except -1
    @cython.locals(bids=list, offers=list, has_taken=cython.bint, lowest=cython.longlong, highest=cython.longlong, level=OwnLevel)
    cpdef bint watch(self, Market market) except -1
