cimport cython
from quotewright.kernel.orders cimport Order, OrderManager
from quotewright.kernel.strategy cimport Quotes
from quotewright.kernel.view cimport View

cdef int BUY, SELL, OPEN, PENDING_CANCEL, UNKNOWN, IOC
cdef long long MAX_STEPS

cdef class QuoteManager:
    cdef public long long requote_ticks
    cdef public long long requote_fraction_ppm
    cdef public long long bid_ticks
    cdef public long long offer_ticks
    cdef public bint amends
    cdef readonly long long held_back
    cdef long long next_number
    cdef long long highest_bid_ticks
    cdef long long lowest_offer_ticks
    @cython.locals(bid_threshold=cython.longlong, offer_threshold=cython.longlong, share=cython.longlong, spread=cython.longlong, cancels=list, orders=list, side=cython.longlong, quantity_lots=cython.longlong, limit_ticks=cython.longlong)
    cpdef list reconcile(self, View view, Quotes quotes, OrderManager manager, str strategy)
    @cython.locals(levels=cython.longlong, held=list, order=Order, holder=Order, level=cython.longlong, price_ticks=cython.longlong, quantity_lots=cython.longlong, away=cython.longlong, leaves=cython.longlong)
    cpdef bint side(self, View view, int side, list wanted, long long threshold, str strategy, list cancels, list orders) except -1
    @cython.locals(found=cython.longlong, most=cython.longlong, price_ticks=cython.longlong, _=cython.longlong)
    cpdef long long farthest(self, View view, list wanted, bint is_highest) except -1
    cpdef bint meets_wanted(self, int side, long long price_ticks) except -1
    @cython.locals(order=Order)
    cpdef bint meets_own(self, View view, int side, long long price_ticks) except -1
    @cython.locals(number=cython.longlong)
    cpdef object new_order(self, View view, int side, object price_ticks, object quantity_lots, str strategy, int time_in_force, bint post_only)
