cimport cython

cdef long long NEVER

@cython.locals(whole=object, rest=object, twice=object)
cpdef object divided(object numerator, object denominator)

cdef class ContractMoney:
    cdef readonly bint is_inverse
    cdef readonly object unit
    cdef readonly object size_unit
    cdef readonly str quote
    cdef readonly str other
    cdef readonly str base
    cdef readonly str kind
    cdef readonly str name
    cdef readonly long long tick_steps
    cdef readonly long long lot_steps
    cdef readonly long long size_decimals
    cdef readonly long long price_decimals
    cdef readonly object price_scale
    cdef readonly object mark_scale
    cdef readonly object mark_factor
    cdef readonly long long expiry_ns
    cdef readonly object strike
    cdef readonly bint is_put
    cpdef object worth(self, object size_steps, object price_steps)
    cpdef object worth_at(self, object size_steps, object mid2)
    cpdef object notional(self, object size_steps, object price_steps)
