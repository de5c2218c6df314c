#include <cuda_fp16.h>
#define NEVER __int_as_float(0xff800000)

__device__ __forceinline__ void floats(uint4 x, float* out) {
  const __half2* p = reinterpret_cast<const __half2*>(&x);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const float2 f = __half22float2(p[i]);
    out[2 * i] = f.x; out[2 * i + 1] = f.y;
  }
}

template <int THREADS>
__device__ float over_block(float v, bool largest, float* scratch) {
#pragma unroll
  for (int o = 16; o; o /= 2) {
    const float other = __shfl_xor_sync(~0u, v, o);
    v = largest ? fmaxf(v, other) : v + other;
  }
  __syncthreads();
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = v;
  __syncthreads();
  float all = scratch[0];
#pragma unroll
  for (int i = 1; i < THREADS / 32; i++) all = largest ? fmaxf(all, scratch[i]) : all + scratch[i];
  return all;
}

// A head of one row: softmax(q k^T) v over n positions; the last lies at k_new, v_new if given.
// `partial` (66 floats), if given, gets the largest score, the sum of weights and the weighted sum.
// Eight lanes share a key.
template <int THREADS, int MOST>
__device__ void attend(const float* q, const uint4* k, const uint4* v, const uint4* k_new,
                       const uint4* v_new, int n, __half* out, float* partial = nullptr) {
  __shared__ float scores[MOST];
  __shared__ float gathered[THREADS / 32][64];
  __shared__ float scratch[THREADS / 32];
  constexpr int GROUPS = THREADS / 8, U = 4;
  const int lane = threadIdx.x % 8, group = threadIdx.x / 8;
  float top = NEVER;
  for (int first = group; first - group % 4 < n; first += GROUPS * U) {
    uint4 x[U];
#pragma unroll
    for (int u = 0; u < U; u++) {
      const int at = first + u * GROUPS;
      if (at < n) x[u] = (k_new && at == n - 1 ? k_new : k + size_t(at) * 8)[lane];
    }
#pragma unroll
    for (int u = 0; u < U; u++) {
      const int at = first + u * GROUPS;
      float f[8], dot = 0.f;
      floats(x[u], f);
#pragma unroll
      for (int i = 0; i < 8; i++) dot += q[i] * f[i];
      dot += __shfl_xor_sync(~0u, dot, 1);
      dot += __shfl_xor_sync(~0u, dot, 2);
      dot += __shfl_xor_sync(~0u, dot, 4);
      if (at < n) {
        top = fmaxf(top, dot);
        if (lane == 0) scores[at] = dot;
      }
    }
  }
  top = over_block<THREADS>(top, true, scratch);
  float sum = 0.f;
  for (int i = threadIdx.x; i < n; i += THREADS) {
    const float p = __expf(scores[i] - top);
    scores[i] = p;
    sum += p;
  }
  sum = over_block<THREADS>(sum, false, scratch);
  float heard[8] = {};
  for (int first = group; first < n; first += GROUPS * U) {
    uint4 x[U];
#pragma unroll
    for (int u = 0; u < U; u++) {
      const int at = first + u * GROUPS;
      if (at < n) x[u] = (v_new && at == n - 1 ? v_new : v + size_t(at) * 8)[lane];
    }
#pragma unroll
    for (int u = 0; u < U; u++) {
      const int at = first + u * GROUPS;
      if (at >= n) break;
      float f[8];
      floats(x[u], f);
      const float p = scores[at];
#pragma unroll
      for (int i = 0; i < 8; i++) heard[i] += p * f[i];
    }
  }
#pragma unroll
  for (int i = 0; i < 8; i++) {
    heard[i] += __shfl_xor_sync(~0u, heard[i], 8);
    heard[i] += __shfl_xor_sync(~0u, heard[i], 16);
    if (threadIdx.x % 32 < 8) gathered[threadIdx.x / 32][lane * 8 + i] = heard[i];
  }
  __syncthreads();
  if (threadIdx.x < 64) {
    float all = 0.f;
#pragma unroll
    for (int i = 0; i < THREADS / 32; i++) all += gathered[i][threadIdx.x];
    if (partial) partial[2 + threadIdx.x] = all;
    else out[threadIdx.x] = __float2half(all / sum);
    if (partial && threadIdx.x == 0) { partial[0] = top; partial[1] = sum; }
  }
}

// A lane's eight numbers of the query, scaled.
__device__ __forceinline__ void query(const __half* from, float* q) {
  floats(reinterpret_cast<const uint4*>(from)[threadIdx.x % 8], q);
#pragma unroll
  for (int i = 0; i < 8; i++) q[i] *= 0.125f;
}
