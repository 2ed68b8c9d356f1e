cimport cython

cdef int BUY
cdef int MONEY_SCALE

cdef class Portfolio:
    cdef readonly object unit
    cdef readonly long long tick_steps
    cdef readonly long long lot_steps
    cdef readonly str quote
    cdef readonly str base
    cdef readonly long long size_decimals
    cdef readonly long long price_decimals
    cdef readonly object price_scale
    cdef readonly long long position_lots
    cdef readonly object cash
    cdef readonly object entry_value
    cdef readonly object spread2
    cdef readonly dict fees
    cdef readonly object bought_lots
    cdef readonly object sold_lots
    cdef readonly object turnover
    cdef readonly long long fills
    cdef readonly long long maker_fills
    @cython.locals(price_steps=object, size_steps=object, value=object, signed=cython.longlong, before=cython.longlong, after=cython.longlong, edge2=object)
    cpdef bint book_fill(self, int side, long long price_ticks, long long lots, object fee, str currency, long long mid2, bint is_maker) except -1
