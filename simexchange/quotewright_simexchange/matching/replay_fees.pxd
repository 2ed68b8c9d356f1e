cimport cython
from quotewright_simexchange.matching.replay_market cimport Market
from quotewright_simexchange.matching.replay_orders cimport OrderReplay

cdef class FeeReplay(OrderReplay):
    cdef public object terms
    cdef public tuple option_cap
    cdef public object maker_fee
    cdef public object taker_fee
    cdef public tuple maker_rate
    cdef public tuple taker_rate
    cdef public object fee_unit
    @cython.locals(terms=object, rate=tuple, price=object)
    cpdef object fee(self, Market market, object price_ticks, object lots, bint is_maker)
