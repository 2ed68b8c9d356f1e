cimport cython
from quotewright.kernel.rows cimport Rows
from quotewright_simexchange.matching.replay_fees cimport FeeReplay
from quotewright_simexchange.matching.replay_market cimport Market, OwnOrder

cdef int BUY, FOK, GTC, IOC, TAKEN
cdef long long LAST_BIT, MOST_TAKEN, NEVER, REMEMBERED, ROW_WORDS

cdef class ReplayVenue(FeeReplay):
    cdef public object latency
    cdef public object taking
    cdef public long long shift_ns
    cdef public long long entry_ns
    cdef public long long response_ns
    cdef public bint keeps_order
    cdef Rows rows
    cdef const long long[::1] words
    cdef const long long[::1] order
    cdef public object windows
    cdef public long long row_count
    cdef public long long cursor
    cdef public long long next_row_ns
    cdef public long long next_command_ns
    cdef public long long next_report_ns
    cdef public long long now_ns
    cdef public long long first_ns
    cdef public list commands
    cdef public long long commands_taken
    cdef public long long command_count
    cdef public long long last_arrival_ns
    cdef public long long last_known_ns
    cdef public list reports
    cdef public long long report_count
    cdef public long long fill_count
    cdef public dict open
    cdef public dict home
    cdef public set accepted
    cdef public long long oldest_accepted
    cdef public list evidence
    cdef public object places
    cdef public str name
    @cython.locals(limit=cython.longlong)
    cpdef long long run(self, long long until_ns) except? -1
    @cython.locals(rows=Rows, count=cython.longlong, at=cython.longlong, shift=cython.longlong, now=cython.longlong, first=cython.longlong, last=cython.longlong)
    cpdef bint take_rows(self, long long limit_ns) except -1
    @cython.locals(row=cython.longlong)
    cpdef bint find_next(self) except -1
    @cython.locals(position=cython.longlong, is_short=cython.bint)
    cpdef bint fill(self, Market market, OwnOrder order, long long price_ticks, long long lots, int kind, long long now_ns) except -1
    @cython.locals(ahead=cython.longlong, places=object)
    cpdef bint keep_place(self, OwnOrder order) except -1
    cpdef bint leave(self, Market market, OwnOrder order) except -1
    cpdef bint end(self, Market market, OwnOrder order, str reason, long long now_ns) except -1
    @cython.locals(arrival=cython.longlong)
    cpdef bint send(self, object command, long long arrival_ns) except -1
    @cython.locals(known=cython.longlong)
    cpdef long long known_at(self, long long venue_ns, object number) except? -1
    @cython.locals(reports=list, receive_ns=cython.longlong)
    cpdef bint report(self, object report) except -1
    @cython.locals(now=cython.longlong, command=object, order=OwnOrder, market=Market, reason=str)
    cpdef bint take_command(self) except -1
    @cython.locals(commands=list, now=object, _=object, command=object)
    cpdef tuple next_command(self)
    @cython.locals(order=OwnOrder, instrument=object, time_in_force=cython.int, reason=str, text=str)
    cpdef bint take_new(self, object command, long long now_ns) except -1
    cpdef bint was_accepted(self, object number) except -1
    @cython.locals(kept=list)
    cpdef bint remember(self, object number) except -1
    @cython.locals(market=Market, is_market=cython.bint, reason=str)
    cpdef tuple check_new(self, OwnOrder order, object instrument, int time_in_force)
    @cython.locals(number=object, found=object)
    cpdef bint place(self, Market market, OwnOrder order, int time_in_force, long long now_ns) except -1
    @cython.locals(taken=dict, before=cython.longlong, price=object, ticks=cython.longlong, lots=cython.longlong, gone=object)
    cpdef bint take(self, Market market, OwnOrder order, long long now_ns) except -1
