cimport cython
from quotewright.kernel.counts cimport OrderCounts
from quotewright.kernel.orders cimport Order
from quotewright.kernel.view cimport View

cdef long long MOST_PENDING, MOST_FILLS

cdef class Record:
    cdef public bint writes_at_once
    cdef public bint writes_fills
    cdef readonly list pending
    cdef public object lost
    cdef public dict counts
    cdef readonly long long orders
    cdef readonly long long cancels
    cdef readonly long long amends
    cdef public dict fills
    cdef readonly long long fill_count
    cdef readonly long long fills_dropped
    @cython.locals(is_cancel=cython.bint, counts=OrderCounts)
    cpdef on_command(self, long long now_ns, long long rows, object command, View view)
    @cython.locals(view=View, counts=OrderCounts, values=tuple, column=object, value=object)
    cpdef on_report(self, long long now_ns, long long rows, object report, Order order)
    cpdef on_timer(self, long long now_ns, long long rows, long long timer)

cdef class Handed(Record):
    cdef object recorder
    cpdef on_command(self, long long now_ns, long long rows, object command, View view)
    cpdef on_report(self, long long now_ns, long long rows, object report, Order order)
    cpdef on_timer(self, long long now_ns, long long rows, long long timer)

cpdef Record record_of(object recorder)
