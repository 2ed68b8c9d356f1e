cimport cython
from quotewright_simexchange.matching.accounts cimport SpotAccounts

cdef long long BUY, SELL
cdef long long ACCEPTED, ALWAYS_REQUEUES, AMEND, AMEND_REJECTED, AMENDED, C_ACCOUNT, C_KIND, C_OPERATION
cdef long long C_ORDER, C_POST_ONLY, C_PRICE, C_QUANTITY, C_SIDE, C_TIF, CANCEL, CANCEL_ALL
cdef long long CANCEL_REJECTED, CANCELED, CHANGE_WORDS, COMMAND_WORDS, CROSS_CANCEL, CROSS_REJECT
cdef long long E_ACCOUNT, E_CODE, E_LEAVES, E_NUMBER, E_ORDER, E_OTHER, E_OTHER_ACCOUNT, E_OTHER_LEAVES
cdef long long E_PRICE, E_QUANTITY, E_TYPE, EVENT_WORDS, FOK, GTC, H_PRICE, H_QUANTITY, H_SEQUENCE, H_SIDE
cdef long long IOC, KEEP, L_BEFORE, L_HEAD, L_IS_ACTIVE, L_IS_TOUCHED, L_QUANTITY, L_RANK, L_SIDE, L_TAIL
cdef long long LEVEL_WORDS, LIMIT, MARKET, MOST, NEW, NO_RANK, NOT_POST_ONLY, O_ACCOUNT, O_ACCOUNT_NEXT
cdef long long O_ACCOUNT_PREVIOUS, O_ID, O_LEVEL, O_NEXT, O_NUMBER, O_OPEN, O_POST_ONLY, O_PREVIOUS
cdef long long O_RANK, O_SIDE, O_TOTAL, OFF_STEP, ORDER_WORDS, POST_ONLY_REJECT, POST_ONLY_REPRICE
cdef long long QTY_DOWN_KEEPS, QTY_DOWN_ONLY, R_AMEND_BELOW_FILLED, R_BAD_FLAGS, R_BAD_PRICE, R_BAD_QTY
cdef long long R_DUPLICATE_ID, R_FOK, R_INSUFFICIENT_FUNDS, R_IOC, R_LOT, R_MAX_OPEN_ORDERS, R_MAX_QTY
cdef long long R_MIN_NOTIONAL, R_MIN_QTY, R_NO_LIQUIDITY, R_NONE, R_NOT_ALLOWED, R_ORDER_CLOSED, R_PHASE
cdef long long R_POST_ONLY, R_TICK, R_UNKNOWN_ORDER, R_USER, REJECTED, REPRICED, S_BASE, S_BEST
cdef long long S_BEST_LEVEL, S_BITS, S_LEVELS, S_OPEN, S_SUMMARY, S_WINDOW, SIDE_WORDS, TRADED, TRADING
cdef long long UNREADABLE

cdef long long top_bit(long long word) except -1

cdef class MatchingCore:
    cdef readonly long long tick_steps
    cdef readonly long long lot_steps
    cdef readonly long long min_quantity
    cdef readonly long long max_quantity
    cdef bint is_notional_checked
    cdef bint is_notional_large
    cdef long long notional_below
    cdef readonly object min_notional
    cdef readonly long long max_open_orders
    cdef readonly long long amend_policy
    cdef readonly long long amend_post_only_cross
    cdef readonly SpotAccounts spot
    cdef readonly bint is_spot
    cdef readonly long long phase
    cdef long long window_size
    cdef long long near
    cdef readonly long long last_price
    cdef readonly long long trade_number
    cdef readonly long long accept_number
    cdef readonly long long feed_sequence
    cdef readonly long long command_count
    cdef long long ticks
    cdef long long[::1] orders
    cdef long long free_order
    cdef long long[::1] levels_pool
    cdef long long free_level
    cdef long long[::1] sides
    cdef long long[::1] windows
    cdef long long[::1] bits
    cdef long long[::1] summary
    cdef list far_levels
    cdef list far_ranks
    cdef long long[::1] handles
    cdef long long id_count
    cdef long long id_end
    cdef long long[::1] account_heads
    cdef long long[::1] account_tails
    cdef long long[::1] account_orders
    cdef long long account_count
    cdef long long[::1] touched
    cdef long long touched_room
    cdef long long touched_count
    cdef long long[::1] event_words
    cdef long long event_room
    cdef readonly long long event_count
    cdef long long[::1] change_words
    cdef long long change_room
    cdef readonly long long change_count
    cdef readonly long long first_trade_number
    cpdef long long new(self, long long order_id, long long account, long long side, long long kind, long long price, long long quantity, long long tif=*, long long post_only=*) except -1
    cpdef long long cancel(self, long long order_id, long long account) except -1
    cpdef long long cancel_all(self, long long account) except -1
    cpdef long long amend(self, long long order_id, long long account, long long price=*, long long quantity=*) except -1
    @cython.locals(row=cython.longlong, at=cython.longlong, operation=cython.longlong)
    cpdef long long run(self, const long long[::1] commands, long long first, long long last, long long most_events=*) except -1
    cpdef bint clear(self) except -1
    @cython.locals(there=cython.longlong, rank=cython.longlong, reason=cython.longlong, is_repriced=cython.bint,
                   number=cython.longlong, leaves=cython.longlong)
    cdef bint _new(self, long long order_id, long long account, long long side, long long kind, long long price, long long quantity, long long tif, long long post_only) except -1
    @cython.locals(reason=cython.longlong)
    cdef bint _cancel(self, long long order_id, long long account) except -1
    @cython.locals(order=cython.longlong, after=cython.longlong)
    cdef bint _cancel_all(self, long long account) except -1
    @cython.locals(reason=cython.longlong, order=cython.longlong, side=cython.longlong, here=cython.longlong,
                   there=cython.longlong, rank=cython.longlong, before=cython.longlong, total=cython.longlong,
                   filled=cython.longlong, wanted=cython.longlong, leaves=cython.longlong, is_kept=cython.bint)
    cdef bint _amend(self, long long order_id, long long account, long long price, long long quantity) except -1
    @cython.locals(handle=cython.longlong)
    cdef long long _find(self, long long order_id, long long account) except -1
    cdef long long _check(self, long long kind, long long price, long long quantity) except -1
    cdef bint _is_below_notional(self, object price, object quantity) except -1
    @cython.locals(ticks=cython.longlong)
    cdef bint _is_price(self, long long rank) except -1
    @cython.locals(price=cython.longlong, level=cython.longlong, leaves=cython.longlong, order=cython.longlong,
                   fill=cython.longlong)
    cdef bint _is_covered(self, long long account, long long side, long long kind, long long rank, long long quantity) except -1
    @cython.locals(level=cython.longlong)
    cdef bint _is_fillable(self, long long side, long long rank, long long quantity) except -1
    @cython.locals(level=cython.longlong, ticks=cython.longlong, price=cython.longlong, order=cython.longlong,
                   traded=cython.longlong, after=cython.longlong, left=cython.longlong, fill=cython.longlong)
    cdef long long _match(self, long long order_id, long long account, long long side, long long there, long long rank, long long leaves) except -1
    @cython.locals(order=cython.longlong, tail=cython.longlong, price=cython.longlong)
    cdef bint _rest(self, long long order_id, long long account, long long side, long long rank, long long leaves, long long total, long long post_only, long long number) except -1
    @cython.locals(order_id=cython.longlong, account=cython.longlong, leaves=cython.longlong)
    cdef bint _cancel_order(self, long long order, long long reason) except -1
    @cython.locals(account=cython.longlong, before=cython.longlong, after=cython.longlong)
    cdef bint _forget(self, long long order) except -1
    @cython.locals(here=cython.longlong, offset=cython.longlong, level=cython.longlong, tail=cython.longlong)
    cdef bint _join_level(self, long long order, long long side, long long rank, long long leaves) except -1
    @cython.locals(level=cython.longlong, before=cython.longlong, after=cython.longlong, leaves=cython.longlong)
    cdef bint _leave_level(self, long long order) except -1
    cdef bint _touch(self, long long level) except -1
    @cython.locals(here=cython.longlong, base=cython.longlong, best=cython.longlong, is_moved=cython.bint,
                   level=cython.longlong)
    cdef long long _open_level(self, long long side, long long rank) except -1
    @cython.locals(side=cython.longlong, here=cython.longlong, rank=cython.longlong, offset=cython.longlong)
    cdef bint _place_level(self, long long level) except -1
    @cython.locals(side=cython.longlong, here=cython.longlong, offset=cython.longlong)
    cdef bint _drop_level(self, long long level) except -1
    @cython.locals(side=cython.longlong, here=cython.longlong, rank=cython.longlong, offset=cython.longlong)
    cdef bint _activate(self, long long level) except -1
    @cython.locals(side=cython.longlong, here=cython.longlong, rank=cython.longlong, offset=cython.longlong,
                   bit=cython.longlong, at=cython.longlong)
    cdef bint _deactivate(self, long long level) except -1
    @cython.locals(bit=cython.longlong)
    cdef bint _set_bit(self, long long here, long long offset) except -1
    @cython.locals(at=cython.longlong, mask=cython.longlong, word=cython.longlong, group=cython.longlong)
    cdef long long _highest(self, long long here, long long offset) except? -1
    @cython.locals(here=cython.longlong, offset=cython.longlong, count=cython.longlong)
    cdef long long _next_level(self, long long side, long long rank) except -1
    @cython.locals(here=cython.longlong, window=cython.longlong, found=list, offset=cython.longlong,
                   index=cython.longlong, level=cython.longlong)
    cdef bint _move_window(self, long long side, long long rank) except -1
    @cython.locals(count=cython.longlong, is_first=cython.bint, index=cython.longlong, level=cython.longlong,
                   quantity=cython.longlong, at=cython.longlong, ticks=cython.longlong)
    cdef bint _finish(self) except -1
    @cython.locals(index=cython.longlong, level=cython.longlong, side=cython.longlong, rank=cython.longlong,
                   at=cython.longlong, other=cython.longlong)
    cdef bint _sort_touched(self) except -1
    @cython.locals(at=cython.longlong)
    cdef bint _emit(self, long long kind, long long order, long long other, long long price, long long quantity, long long leaves, long long other_leaves, long long code, long long account, long long other_account, long long number) except -1
    @cython.locals(found=list, index=cython.longlong, at=cython.longlong)
    cpdef list events(self)
    @cython.locals(found=list, index=cython.longlong, at=cython.longlong)
    cpdef list changes(self)
    cpdef long long event(self, long long index, long long column) except? -1
    cpdef long long change(self, long long index, long long column) except? -1
    @cython.locals(rank=cython.longlong)
    cpdef long long best_bid(self) except -1
    @cython.locals(rank=cython.longlong)
    cpdef long long best_offer(self) except -1
    @cython.locals(level=cython.longlong)
    cpdef long long size_at(self, long long side, long long price) except -1
    cpdef long long leaves(self, long long order_id) except -1
    cpdef bint is_used(self, long long order_id) except -1
    @cython.locals(ticks=cython.longlong, here=cython.longlong, rank=cython.longlong, offset=cython.longlong)
    cdef long long _level_at(self, long long side, long long price) except -1
