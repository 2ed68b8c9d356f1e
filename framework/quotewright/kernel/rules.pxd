cdef class Refusal:
    cdef readonly str rule
    cdef readonly str reason
    cdef readonly str text

cdef class RiskRule:
    cdef public str name
    cdef public long long state
    cdef public str why
    cdef readonly dict scoped
    cdef public str mode

cdef class CheckRule(RiskRule):
    pass
