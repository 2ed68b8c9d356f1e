cimport cython
from quotewright.kernel.orders cimport Order
from quotewright.kernel.portfolio cimport Portfolio
from quotewright.kernel.quoting cimport QuoteManager
from quotewright.kernel.strategy cimport Quotes
from quotewright.kernel.venue cimport Venue
from quotewright.kernel.view cimport View

cdef long long NEVER

cdef class Timer:
    cdef readonly int kind
    cdef readonly long long index
    cdef public long long period_ns
    cdef public long long next_ns

cdef class Desk:
    cdef readonly str name
    cdef public object strategy
    cdef readonly View view
    cdef readonly QuoteManager manager
    cdef public Venue venue
    cdef public Portfolio portfolio
    cdef readonly Quotes quotes
    cdef public list legs
    cdef public bint is_stopped
    cdef public bint is_waiting
    cdef public bint is_cut_off
    cdef public long long wakes
    cdef readonly bint has_legs
    cdef public bint on_best
    cdef public bint on_trade
    cdef public bint on_fill
    cpdef bint owns(self, Order order) except -1
    @cython.locals(leg=Desk)
    cpdef bint change(self, object strategy) except -1
