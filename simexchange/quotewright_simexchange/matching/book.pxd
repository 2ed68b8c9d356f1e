cimport cython
from quotewright_simexchange.matching.levels cimport LevelIndex

cdef long long ACCEPTED, ACTIVE, AMENDED, CANCEL, CANCELED, EVENT_WORDS, F_CONDITIONAL, F_GTD, F_HIDDEN, F_ICEBERG, F_POST_ONLY, F_SPECIAL, R_USER, WAITING

cdef packed struct OrderFields:
    long long id
    long long rank
    long long open
    long long total
    long long next
    long long previous
    long long level
    long long side
    long long account
    long long account_next
    long long account_previous
    long long flags
    long long number
    long long display
    long long shown
    long long expiry
    long long trigger
    long long slot

cdef packed struct OwnerFields:
    long long first
    long long last
    long long count

cdef packed struct EventFields:
    long long kind
    long long order
    long long other
    long long price
    long long quantity
    long long leaves
    long long other_leaves
    long long code
    long long account
    long long other_account
    long long number

cdef class OrderBook(LevelIndex):
    cdef OrderFields[::1] slots
    cdef long long slot_count
    cdef readonly long long specials
    cdef long long free_order
    cdef long long[::1] handles
    cdef long long id_count
    cdef long long id_end
    cdef OwnerFields[::1] owners
    cdef long long account_count
    cdef EventFields[::1] event_rows
    cdef long long event_room
    cdef readonly long long event_count
    @cython.locals(order=cython.longlong)
    cdef long long _add_order(self, long long order_id, long long account, long long side, long long rank, long long leaves, long long total, long long flags, long long number) except -1
    @cython.locals(order=cython.longlong, tail=cython.longlong)
    cdef long long _enroll(self, long long order_id, long long account, long long side, long long rank, long long leaves, long long total, long long flags, long long number) except -1
    @cython.locals(account=cython.longlong, before=cython.longlong, after=cython.longlong)
    cdef bint _forget(self, long long order) except -1
    @cython.locals(offset=cython.longlong, level=cython.longlong, tail=cython.longlong)
    cdef bint _join_level(self, long long order, long long side, long long rank, long long leaves) except -1
    @cython.locals(flags=cython.longlong, shown=cython.longlong, before=cython.longlong, is_first=cython.bint)
    cdef bint _join_others(self, long long order, long long level, long long leaves) except -1
    @cython.locals(before=cython.longlong)
    cdef bint _insert(self, long long order, long long level, long long after) except -1
    @cython.locals(level=cython.longlong, before=cython.longlong, after=cython.longlong)
    cdef bint _requeue(self, long long order) except -1
    cdef long long _shown(self, long long order) except -1
    @cython.locals(level=cython.longlong, before=cython.longlong, after=cython.longlong, leaves=cython.longlong)
    cdef bint _leave_level(self, long long order) except -1
    @cython.locals(at=cython.longlong)
    cdef bint _emit(self, long long kind, long long order, long long other, long long price, long long quantity, long long leaves, long long other_leaves, long long code, long long account, long long other_account, long long number) except -1
    @cython.locals(found=list, at=cython.longlong)
    cpdef list events(self)
    @cython.locals(row=EventFields)
    cdef tuple _event(self, long long at)
    @cython.locals(kind=cython.longlong)
    cdef object _told(self, long long operation, long long price, long long quantity)
    cpdef long long event(self, long long index, long long column) except? -1
    cpdef long long open_quantity(self, long long side) except -1
    cpdef bint is_used(self, long long order_id) except -1
    cpdef long long leaves(self, long long order_id) except -1
    cpdef long long open_order_count(self, long long account) except -1
    cdef bint _grow_events(self) except -1
    cdef bint _make_room_for_order(self, long long order_id) except -1
    cdef bint _make_room_for_account(self, long long account) except -1
    @cython.locals(first=cython.longlong, order=cython.longlong)
    cdef bint _grow_orders(self) except -1
