cimport cython
from quotewright_simexchange.matching.ledger cimport Ledger, Wallets

cdef long long BUY

cdef class Accounts:
    cdef readonly bint is_derivative
    cdef readonly bint is_margined
    cdef readonly bint is_liquidated
    cdef readonly list fees
    cdef readonly list amounts
    cpdef bint clear(self) except -1
    cpdef str state(self)
    cpdef bint has_funds(self, long long account) except -1
    cpdef bint can_place(self, long long account, long long side, object price, object quantity, object order) except -1
    cpdef bint add_cost(self, object price, object quantity) except -1
    cpdef bint can_pay(self, long long account) except -1
    cpdef bint lock(self, long long account, long long side, object price, object quantity, object order) except -1
    cpdef bint release(self, long long account, long long side, object order) except -1
    cpdef bint trade(self, long long maker, object maker_order, object maker_leaves, long long taker, long long taker_side, object price, object quantity) except -1
    cpdef bint cross(self, long long buyer, object buy_order, object buy_leaves, object buy_price, long long seller, object sell_order, object sell_leaves, object sell_price, object price, object quantity) except -1
    cpdef long long position(self, long long account) except? -1
    cpdef bint set_mark(self, object mark) except -1
    cpdef bint add_margin(self, long long account, long long side, object price, object quantity) except -1
    cpdef bint can_margin(self, long long account) except -1
    cpdef bint is_breached(self, long long account) except -1
    cpdef bint insure(self, long long account) except -1
    cpdef bint fund(self, long long account, object rate) except -1
    cpdef bint settle(self, long long account, object price) except -1

cdef class SpotAccounts(Accounts):
    cdef readonly long long scale
    cdef readonly object maker_rate
    cdef readonly object taker_rate
    cdef readonly bint has_fees
    cdef readonly bint fee_in_quote
    cdef object value_unit
    cdef object base_unit
    cdef object fee_unit
    cdef object fee_divisor
    cdef readonly Ledger ledger
    cdef readonly Wallets base_wallets
    cdef readonly Wallets quote_wallets
    cdef readonly str source
    cdef readonly object base_fees
    cdef readonly object quote_fees
    cdef readonly dict locks
    cdef list costs
    @cython.locals(wallets=Wallets, amount=object)
    cpdef bint deposit(self, long long account, object base, object quote) except -1
    cpdef tuple balance(self, long long account)
    @cython.locals(count=cython.longlong)
    cpdef long long account_count(self) except -1
    cpdef bint has_funds(self, long long account) except -1
    @cython.locals(rate=object)
    cpdef object maker_rate_of(self, long long account)
    @cython.locals(rate=object)
    cpdef object taker_rate_of(self, long long account)
    @cython.locals(units=object)
    cpdef object fee(self, object amount, object rate)
    @cython.locals(value=object, rate=object)
    cpdef object lock_amount(self, long long account, long long side, object price, object quantity)
    @cython.locals(needed=object, free=object)
    cpdef bint can_place(self, long long account, long long side, object price, object quantity, object order) except -1
    cpdef bint add_cost(self, object price, object quantity) except -1
    @cython.locals(cost=object, rate=object, value=object)
    cpdef bint can_pay(self, long long account) except -1
    @cython.locals(amount=object)
    cpdef bint lock(self, long long account, long long side, object price, object quantity, object order) except -1
    @cython.locals(amount=object)
    cpdef bint release(self, long long account, long long side, object order) except -1
    @cython.locals(value=object, size=object, maker_fee=object, taker_fee=object, is_maker_base=cython.bint,
                   is_taker_base=cython.bint, side=cython.longlong)
    cpdef bint trade(self, long long maker, object maker_order, object maker_leaves, long long taker, long long taker_side, object price, object quantity) except -1
    @cython.locals(value=object, size=object, buy_fee=object, sell_fee=object, is_buy_base=cython.bint)
    cpdef bint cross(self, long long buyer, object buy_order, object buy_leaves, object buy_price, long long seller, object sell_order, object sell_leaves, object sell_price, object price, object quantity) except -1
    @cython.locals(balances=list, rates=list)
    cpdef str state(self)
    cpdef bint book(self, long long account, long long side, object size, object value, object fee, bint is_base) except -1
    @cython.locals(is_bought=cython.bint, is_sold=cython.bint, count=cython.longlong)
    cpdef bint close_trade(self, long long buyer, object buy_fee, bint is_buy_base, long long seller, object sell_fee, bint is_sell_base, object size, object value) except -1
