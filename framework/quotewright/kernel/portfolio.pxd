cimport cython
from quotewright.kernel.contract_money cimport ContractMoney

cdef int BUY

cdef class Portfolio(ContractMoney):
    cdef readonly long long position_lots
    cdef readonly object cash
    cdef readonly object entry_value
    cdef readonly object spread2
    cdef readonly dict fees
    cdef readonly object funding
    cdef readonly long long funding_count
    cdef readonly object settled_lots
    cdef readonly object bought_lots
    cdef readonly object sold_lots
    cdef readonly object turnover
    cdef readonly long long fills
    cdef readonly long long maker_fills
    cdef readonly object maker_turnover
    @cython.locals(price_steps=object, signed=cython.longlong, size_steps=object, worth=object, before=cython.longlong, after=cython.longlong, value=object)
    cpdef bint book_fill(self, int side, long long price_ticks, long long lots, object fee, str currency, long long mid2, bint is_maker) except -1
