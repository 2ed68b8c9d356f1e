cdef class Quotes:
    cdef public list bids
    cdef public list offers
    cdef public list takes
    cdef public bint is_kept

cdef class Strategy:
    pass

cdef class MultiStrategy(Strategy):
    pass
