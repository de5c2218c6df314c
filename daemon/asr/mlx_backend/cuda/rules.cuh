#define NEVER __int_as_float(0xff800000)

struct Best {  // the largest logit, the sum of exp(logit - top), and where the largest is
  float top, sum;
  int index;
};

__device__ __forceinline__ Best joined(Best a, Best b) {
  if (b.top > a.top || (b.top == a.top && b.index < a.index)) { const Best c = a; a = b; b = c; }
  if (b.top > NEVER) a.sum += b.sum * __expf(b.top - a.top);
  return a;
}

__device__ __forceinline__ Best over_warp(Best v) {
  for (int o = 16; o; o /= 2) {
    Best other;
    other.top = __shfl_xor_sync(~0u, v.top, o);
    other.sum = __shfl_xor_sync(~0u, v.sum, o);
    other.index = __shfl_xor_sync(~0u, v.index, o);
    v = joined(v, other);
  }
  return v;
}

__device__ Best over_block(Best v, Best* scratch) {  // of 32 warps
  v = over_warp(v);
  __syncthreads();
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = v;
  __syncthreads();
  return over_warp(scratch[threadIdx.x % 32]);
}
