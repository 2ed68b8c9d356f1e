cimport cython
from quotewright_simexchange.matching.accounts cimport Accounts
from quotewright_simexchange.matching.ledger cimport Ledger, Wallets

cdef long long BUY, LINEAR, INVERSE, OPTION
cdef object RATE_UNIT, REFERENCE_UNIT, MONEY_PARTS

cdef class DerivativeAccounts(Accounts):
    cdef readonly Ledger ledger
    cdef readonly Wallets wallets
    cdef readonly long long scale
    cdef readonly long long kind
    cdef readonly object maker_rate
    cdef readonly object taker_rate
    cdef readonly object margin_rate
    cdef readonly object maintenance_rate
    cdef readonly object option_rate
    cdef readonly object option_cap
    cdef readonly object strike
    cdef readonly bint is_put
    cdef readonly bint has_fees
    cdef readonly object multiplier
    cdef object price_unit
    cdef object size_unit
    cdef object money_unit
    cdef object scale_unit
    cdef object value_unit
    cdef object fee_unit
    cdef readonly str source
    cdef readonly object mark
    cdef object needed
    cdef object gained
    cdef object built
    cdef list positions
    cdef list entries
    cdef list realized
    cdef list paid_fees
    cdef list funding
    cpdef long long position(self, long long account) except? -1
    cpdef bint has_funds(self, long long account) except -1
    @cython.locals(size=object, money=object)
    cpdef object value_at(self, object reference, object quantity)
    @cython.locals(size=object)
    cpdef object value(self, object price, object quantity)
    @cython.locals(unit=object, amount=object, own=object, rate=object)
    cpdef object fee(self, long long account, bint is_maker, object value, object quantity)
    @cython.locals(value=object, maker_fee=object, taker_fee=object)
    cpdef bint trade(self, long long maker, object maker_order, object maker_leaves, long long taker, long long taker_side, object price, object quantity) except -1
    @cython.locals(value=object, buy_fee=object, sell_fee=object)
    cpdef bint cross(self, long long buyer, object buy_order, object buy_leaves, object buy_price, long long seller, object sell_order, object sell_leaves, object sell_price, object price, object quantity) except -1
    cpdef bint set_mark(self, object mark) except -1
    @cython.locals(held=object, gain=object)
    cpdef object unrealized(self, long long account)
    @cython.locals(held=object)
    cpdef object maintenance(self, long long account)
    @cython.locals(total=object, member=DerivativeAccounts)
    cpdef object equity(self, long long account)
    @cython.locals(held=object, against=object)
    cpdef bint add_margin(self, long long account, long long side, object price, object quantity) except -1
    @cython.locals(needed=object, member=DerivativeAccounts)
    cpdef bint can_margin(self, long long account) except -1
    @cython.locals(needed=object, member=DerivativeAccounts)
    cpdef bint is_breached(self, long long account) except -1
    @cython.locals(amount=object, member=DerivativeAccounts)
    cpdef bint insure(self, long long account) except -1
    @cython.locals(held=object, number=object, divisor=object, amount=object)
    cpdef bint fund(self, long long account, object rate) except -1
    @cython.locals(held=object, intrinsic=object, number=object, amount=object, before=object, postings=list)
    cpdef bint settle(self, long long account, object price) except -1
    @cython.locals(booked=list, rates=list)
    cpdef str state(self)
    @cython.locals(count=cython.longlong, postings=list)
    cdef bint _book_trade(self, long long buyer, long long seller, object value, object quantity) except -1
    @cython.locals(is_base=cython.bint, account=cython.longlong, fee=object)
    cdef bint _book_fees(self, long long first, object first_fee, long long second, object second_fee) except -1
    @cython.locals(held=object, entry=object, before=object, gain=object, size=object, closing=object, share=object,
                   closed=object, built=object)
    cdef bint _shift(self, long long account, object change, object value) except -1
    cdef object _signed(self, object position, object entry)
