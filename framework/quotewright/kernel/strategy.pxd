cimport cython

cdef class Quotes:
    cdef public list bids
    cdef public list offers
    cdef public list takes
    cdef public bint is_kept
    cpdef bid(self, object price_ticks, object quantity_lots)
    cpdef offer(self, object price_ticks, object quantity_lots)
    cpdef clear(self)

@cython.locals(number=object)
cdef object _positive(str what, object value)

cdef class Strategy:
    pass

cdef class MultiStrategy(Strategy):
    pass
