cimport cython
from quotewright.kernel.rules cimport RiskRule, Refusal
from quotewright.kernel.view cimport View

cdef int NORMAL, WARNING, REDUCE_ONLY, HALT, IOC

cdef class Claim:
    cdef readonly long long state
    cdef readonly str holder
    cdef readonly str why

cdef class RiskGate:
    cdef readonly list rules
    cdef list judges
    cdef list reported
    cdef list commanded
    cdef readonly list acting
    cdef readonly object scopes
    cdef readonly dict venue_of
    cdef readonly dict scoped
    cdef readonly dict operator_scoped
    cdef readonly bint is_restricting
    cdef readonly list views
    cdef readonly int operator_state
    cdef readonly str operator_why
    cdef readonly str integrity_why
    cdef readonly str held_by
    cdef readonly str held_why
    cdef readonly int state
    cdef readonly dict refusals
    cdef readonly dict failed
    cdef readonly list changes
    cdef public object on_failure
    @cython.locals(reducing=cython.bint, state=cython.longlong, holder=str, why=str, claim=Claim)
    cpdef Refusal verdict(self, object command, View view)
    @cython.locals(found=Claim, claim=Claim)
    cpdef Claim claim_on(self, str strategy, View view)
    @cython.locals(claim=Claim)
    cpdef long long state_for(self, str strategy, View view) except -1
    @cython.locals(rule=RiskRule, refusal=object)
    cpdef Refusal ask_rules(self, object command, View view, bint reducing)
    @cython.locals(reasons=dict)
    cpdef Refusal count(self, Refusal refusal)
    @cython.locals(view=View)
    cpdef bint wake(self, RiskRule rule, long long now_ns) except -1
    @cython.locals(rule=RiskRule)
    cpdef bint wake_all(self, View view) except -1
    @cython.locals(rule=RiskRule)
    cpdef bint on_report(self, object report, View view) except -1
    @cython.locals(rule=RiskRule)
    cpdef bint on_command(self, object command, View view) except -1
    @cython.locals(state=cython.longlong, claimed=cython.longlong, rule=RiskRule, holder=str, why=str, said=str, view=View, has_scopes=cython.bint, scoped_changed=cython.bint, worst=Claim, claim=Claim)
    cpdef bint refresh(self, long long now_ns) except -1
