cimport cython
from quotewright.kernel.desk cimport Desk, Timer
from quotewright.kernel.orders cimport Order, OrderManager
from quotewright.kernel.record cimport Record
from quotewright.kernel.risk cimport RiskGate
from quotewright.kernel.rows cimport Rows
from quotewright.kernel.rules cimport Refusal, RiskRule
from quotewright.kernel.source cimport RowSource
from quotewright.kernel.strategy cimport Quotes
from quotewright.kernel.venue cimport Venue
from quotewright.kernel.view cimport View

cdef long long NEVER, LAST_BIT
cdef int BUY, SELL, OPEN, PENDING_CANCEL, CANCEL_ALL, REDUCE_ONLY, HALT, CLOSED, POST_ONLY
cdef int RULE, SAMPLE, STRATEGY
cdef long long FINISH_STEP_NS

cdef class Pipeline:
    cdef readonly RowSource source
    cdef readonly list views
    cdef readonly list desks
    cdef readonly RiskGate gate
    cdef readonly list venues
    cdef Venue only_venue
    cdef readonly object recorder
    cdef readonly Record record
    cdef readonly OrderManager manager
    cdef readonly long long now_ns
    cdef readonly long long rows_consumed
    cdef readonly long long messages
    cdef readonly long long unwatched
    cdef public bint is_stopping
    cdef public bint is_interrupted
    cdef public object configure
    cdef readonly list desks_of
    cdef readonly list timers
    cdef readonly long long next_timer_ns
    @cython.locals(soonest=cython.longlong, timer=Timer)
    cpdef bint lay_timers(self) except -1
    @cython.locals(source=RowSource, taken=cython.longlong, limit=cython.longlong, receive=cython.longlong, horizon=cython.longlong, due=cython.longlong)
    cpdef long long advance(self, long long until_ns, long long most_messages) except -1
    @cython.locals(due=cython.longlong, venue=Venue, known=cython.longlong)
    cpdef long long run_venues(self, long long horizon_ns) except? -1
    @cython.locals(rows=Rows, first=cython.longlong, last=cython.longlong, end=cython.longlong, word=cython.longlong, view=View, desk=Desk)
    cpdef bint take_message(self, RowSource source, long long receive_ns) except -1
    @cython.locals(desk=Desk)
    cpdef bint goodness(self, View view) except -1
    @cython.locals(desk=Desk, desks=list)
    cpdef bint new_terms(self, View view) except -1
    @cython.locals(is_waiting=cython.bint, order=Order, desk=Desk)
    cpdef bint cancel_off_grid(self, View view) except -1
    @cython.locals(desk=Desk)
    cpdef Desk desk_of(self, Order order)
    @cython.locals(view=View, filled=list, venue=Venue, report=object, is_answer=cython.bint, order=Order, desk=Desk, waiter=Desk)
    cpdef bint take_reports(self, long long now_ns) except -1
    @cython.locals(desk=Desk)
    cpdef bint reach(self, Venue venue, bint is_good, list woken) except -1
    @cython.locals(mid2=cython.longlong)
    cpdef bint book_fill(self, object report, Order order, View view, Desk desk) except -1
    @cython.locals(view=View, position=cython.longlong, timer=Timer, rule=RiskRule)
    cpdef bint take_timers(self, long long now_ns) except -1
    @cython.locals(view=View, quotes=Quotes, command=object, commands=list, level=cython.longlong)
    cpdef bint wake(self, Desk desk) except -1
    @cython.locals(view=View)
    cpdef bint may_quote(self, Desk desk) except -1
    @cython.locals(first=Desk, leg=Desk, view=View, quotes=Quotes, command=object, commands=list, level=cython.longlong, found=list, strategy=object)
    cpdef bint wake_legs(self, list legs) except -1
    @cython.locals(rule=RiskRule, view=View, command=object)
    cpdef bint act(self) except -1
    @cython.locals(desk=Desk, named=object)
    cpdef bint send_for(self, RiskRule rule, object command, View view) except -1
    cpdef bint has_no_owner(self, View view, Desk desk) except -1
    @cython.locals(leg=Desk, order=Order)
    cpdef bint stop_desk(self, Desk desk, object error) except -1
    @cython.locals(refusal=Refusal)
    cpdef bint send(self, object command, View view, Venue venue, long long level, str rule) except -1
    cpdef Refusal barred(self, object command, View view)
    @cython.locals(order=Order)
    cpdef bint dispatch(self, object command, View view, Venue venue, long long level, str rule) except -1
    @cython.locals(order=Order)
    cpdef bint cancel_view(self, View view) except -1
    @cython.locals(view=View, desk=Desk)
    cpdef bint cancel(self, Order order) except -1
    @cython.locals(gate=RiskGate, view=View, order=Order)
    cpdef bint enforce(self) except -1
    @cython.locals(order=Order)
    cpdef bint must_cancel(self, View view) except -1
