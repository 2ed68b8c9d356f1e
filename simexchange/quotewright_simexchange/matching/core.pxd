cimport cython
from quotewright_simexchange.matching.entry cimport EntryBook

cdef long long ACCEPTED, ALWAYS_REQUEUES, AMEND, AMENDED, AMEND_REJECTED, BUY, CANCEL, CANCELED, CANCEL_ALL
cdef long long CANCEL_REJECTED, CLOCK, COMMAND_WORDS, CROSS_CANCEL, C_ACCOUNT, C_DISPLAY, C_EXPIRY, C_KIND
cdef long long C_MARKS, C_OPERATION, C_ORDER, C_POST_ONLY, C_PRICE, C_QUANTITY, C_SIDE, C_STP, C_TIF
cdef long long C_TRIGGER, C_TRIGGER_BY, FOK, F_POST_ONLY, GTC, HALT, KEEP, LAST, LIMIT, MARKET, MOST, NEW
cdef long long NOT_POST_ONLY, NO_STP, PHASE, POST_ONLY_REPRICE, QTY_DOWN_ONLY, REFERENCE, REJECTED, REPRICED
cdef long long R_AMEND_BELOW_FILLED, R_BAD_FLAGS, R_DUPLICATE_ID, R_FOK, R_INSUFFICIENT_FUNDS, R_IOC
cdef long long R_MAX_OPEN_ORDERS, R_MAX_QTY, R_NONE, R_NOT_ALLOWED, R_NO_LIQUIDITY, R_POST_ONLY, R_USER, SELL
cdef long long TRADED, TRADING, UNCROSS
cdef object REFERENCE_UNIT

cdef class MatchingCore(EntryBook):
    cpdef long long new(self, long long order_id, long long account, long long side, long long kind, long long price, long long quantity, long long tif=*, long long post_only=*, long long stp=*, long long display=*, long long marks=*, long long trigger=*, long long trigger_by=*, long long expiry=*) except -1
    cpdef long long cancel(self, long long order_id, long long account) except -1
    cpdef long long cancel_all(self, long long account) except -1
    cpdef long long amend(self, long long order_id, long long account, long long price=*, long long quantity=*) except -1
    cpdef long long set_reference(self, long long source, object price) except -1
    cpdef long long set_time(self, long long now) except -1
    cpdef long long set_phase(self, long long phase) except -1
    cpdef long long uncross(self) except -1
    cpdef long long fund(self, object rate) except -1
    cpdef long long settle(self, object price) except -1
    cpdef object tell(self, long long operation, long long order_id, long long account, long long side=*, long long kind=*, long long price=*, long long quantity=*, long long tif=*)
    cdef long long _finish(self) except -1
    @cython.locals(row=cython.longlong, at=cython.longlong, operation=cython.longlong, kind=cython.longlong,
                   tif=cython.longlong, stp=cython.longlong, display=cython.longlong, marks=cython.longlong)
    cpdef long long run(self, const long long[::1] commands, long long first, long long last, long long most_events=*) except -1
    cpdef bint clear(self) except -1
    @cython.locals(other=cython.longlong, rank=cython.longlong, reason=cython.longlong, is_repriced=cython.bint,
                   number=cython.longlong, leaves=cython.longlong, order=cython.longlong)
    cdef bint _new(self, long long order_id, long long account, long long side, long long kind, long long price, long long quantity, long long tif, long long post_only) except -1
    @cython.locals(reason=cython.longlong, order=cython.longlong)
    cdef bint _cancel(self, long long order_id, long long account) except -1
    cdef bint _cancel_all(self, long long account) except -1
    @cython.locals(reason=cython.longlong, order=cython.longlong, side=cython.longlong, other=cython.longlong,
                   rank=cython.longlong, before=cython.longlong, total=cython.longlong, filled=cython.longlong,
                   wanted=cython.longlong, leaves=cython.longlong, is_kept=cython.bint, level=cython.longlong)
    cdef bint _amend(self, long long order_id, long long account, long long price, long long quantity) except -1
    @cython.locals(level=cython.longlong, leaves=cython.longlong, price=cython.longlong, order=cython.longlong,
                   fill=cython.longlong)
    cdef bint _is_covered(self, long long account, long long side, long long kind, long long rank, long long quantity, long long tif) except -1
    @cython.locals(level=cython.longlong)
    cdef bint _is_fillable(self, long long side, long long rank, long long quantity) except -1
    @cython.locals(other=cython.longlong, level=cython.longlong, ticks=cython.longlong, price=cython.longlong,
                   order=cython.longlong, traded=cython.longlong, after=cython.longlong, left=cython.longlong,
                   fill=cython.longlong)
    cdef long long _match(self, long long order_id, long long account, long long side, long long rank, long long leaves) except -1
    @cython.locals(order_id=cython.longlong, account=cython.longlong, leaves=cython.longlong)
    cdef bint _cancel_order(self, long long order, long long reason) except -1
