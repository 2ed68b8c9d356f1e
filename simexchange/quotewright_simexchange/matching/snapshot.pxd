cimport cython
from quotewright_simexchange.matching.core cimport MatchingCore

cdef long long BUY, F_CONDITIONAL, F_GTD, F_ICEBERG, F_REDUCE, FREE_ID, INDEX, MARK, OPEN_ID, REF, SELL, TRADING

@cython.locals(ids=list, number=cython.longlong, handle=cython.longlong, queues=list, found=list, side=cython.longlong,
               queue=list, level=cython.longlong, order=cython.longlong, orders=list, flags=cython.longlong,
               is_resting=cython.bint, groups=list)
cpdef dict saved_core(MatchingCore core)

@cython.locals(number=cython.longlong, group=cython.longlong, price=object, ids=list, code=cython.longlong,
               numbers=dict, shown=dict, row=list, account=cython.longlong, flags=cython.longlong,
               order=cython.longlong, resting=set, queue=list, level=cython.longlong, slice_left=cython.longlong)
cpdef dict restore_core(MatchingCore core, dict saved)

@cython.locals(numbers=dict, order_id=cython.longlong)
cpdef dict open_numbers(MatchingCore core)
