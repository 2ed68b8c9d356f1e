cimport cython
from quotewright.kernel.view cimport View

cdef int BUY
cdef int PENDING_NEW, OPEN, PENDING_AMEND, PENDING_CANCEL, UNKNOWN, FILLED, CANCELED, REJECTED
cdef long long KEPT_ENDED

cdef class Order:
    cdef readonly long long number
    cdef readonly View view
    cdef readonly int side
    cdef public long long price_ticks
    cdef public long long quantity_lots
    cdef public long long filled_lots
    cdef public long long amend_price_ticks
    cdef public long long amend_quantity_lots
    cdef public int state
    cdef public long long cancel_refused_ns
    cdef public long long level
    cdef readonly long long sent_ns
    cdef readonly str strategy
    cdef public str rule
    cdef readonly set fill_ids
    cpdef bint is_live(self) except -1
    cpdef bint is_overfilled(self) except -1
    @cython.locals(quantity=cython.longlong, leaves=cython.longlong)
    cpdef long long open_lots(self) except -1
    @cython.locals(leaves=cython.longlong)
    cpdef long long leaves_lots(self) except -1

cdef class OrderManager:
    cdef public long long next_number
    cdef readonly dict orders
    cdef readonly list ended
    cdef readonly long long strays
    cdef readonly long long duplicate_fills
    cdef readonly long long overfills
    cdef readonly long long late_fills
    cdef readonly long long sent
    cdef readonly dict rejects
    @cython.locals(order=Order)
    cpdef Order register(self, object command, View view, long long now_ns, long long level)
    @cython.locals(before=cython.longlong)
    cpdef bint cancelling(self, Order order) except -1
    @cython.locals(before=cython.longlong)
    cpdef bint amending(self, Order order, long long price_ticks, long long quantity_lots) except -1
    @cython.locals(order=Order, before=cython.longlong, was_live=cython.bint, is_amend=cython.bint)
    cpdef Order on_report(self, object report, long long now_ns)
    cpdef bint count(self, Order order, long long change) except -1
    @cython.locals(number=cython.longlong)
    cpdef bint retire(self, Order order) except -1
