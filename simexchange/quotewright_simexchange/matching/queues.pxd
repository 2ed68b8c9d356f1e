cdef class QueueModel:
    cpdef double share_behind(self, double ahead, double behind) except? -1

cdef class OrdersQueue(QueueModel):
    pass

cdef class FrontQueue(QueueModel):
    cpdef double share_behind(self, double ahead, double behind) except? -1

cdef class ProbQueue(QueueModel):
    cdef readonly int form
    cpdef double weight(self, double quantity) except? -1
    cpdef double share_behind(self, double ahead, double behind) except? -1

cdef class PowerQueue(ProbQueue):
    cdef readonly double exponent
    cpdef double weight(self, double quantity) except? -1

cdef class LogQueue(ProbQueue):
    cpdef double weight(self, double quantity) except? -1
