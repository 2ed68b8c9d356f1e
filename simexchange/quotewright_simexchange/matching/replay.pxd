cimport cython
from quotewright.kernel.rows cimport Rows
from quotewright_simexchange.matching.replay_orders cimport OrderReplay

cdef int BUY, FOK, GTC, IOC, TAKEN
cdef long long LAST_BIT, NEVER, REMEMBERED, ROW_WORDS

cdef class ReplayVenue(OrderReplay):
    cdef public object latency
    cdef public object taking
    cdef public tuple option_cap
    cdef public long long shift_ns
    cdef public long long entry_ns
    cdef public long long response_ns
    cdef public bint keeps_order
    cdef public object maker_fee
    cdef public object taker_fee
    cdef public tuple maker_rate
    cdef public tuple taker_rate
    cdef public object fee_unit
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
    cdef public object commands
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
