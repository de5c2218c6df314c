#include <cuda_fp16.h>

__device__ __forceinline__ void mma(
    float* c, unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// Mean and reciprocal deviation of ROWS rows of K halves, one warp for each WARPS-th row.
template <int K, int ROWS, int WARPS>
__device__ void statistics(const __half* x, float2* out, int first, int m) {
  constexpr int MINE = (ROWS + WARPS - 1) / WARPS;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  float sum[MINE] = {}, squares[MINE] = {};
#pragma unroll
  for (int r = 0; r < MINE; r++) {
    const int row = min(first + warp + r * WARPS, m - 1);
    const __half2* at = reinterpret_cast<const __half2*>(x + size_t(row) * K) + lane;
#pragma unroll
    for (int i = 0; i < K / 64; i++) {
      const float2 v = __half22float2(at[32 * i]);
      sum[r] += v.x + v.y;
      squares[r] += v.x * v.x + v.y * v.y;
    }
  }
#pragma unroll
  for (int o = 16; o; o /= 2)
#pragma unroll
    for (int r = 0; r < MINE; r++) {
      sum[r] += __shfl_xor_sync(~0u, sum[r], o);
      squares[r] += __shfl_xor_sync(~0u, squares[r], o);
    }
#pragma unroll
  for (int r = 0; r < MINE; r++) {
    const float mean = sum[r] / K;
    if (lane == 0 && warp + r * WARPS < ROWS)
      out[warp + r * WARPS] = make_float2(mean, rsqrtf(squares[r] / K - mean * mean + 1e-5f));
  }
}

__device__ __forceinline__ uint4 normalised(uint4 x, float2 s, uint4 gain, uint4 shift) {
  __half2 *px = reinterpret_cast<__half2*>(&x), *pg = reinterpret_cast<__half2*>(&gain),
          *ps = reinterpret_cast<__half2*>(&shift);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const float2 v = __half22float2(px[i]), g = __half22float2(pg[i]), b = __half22float2(ps[i]);
    px[i] = __floats2half2_rn((v.x - s.x) * s.y * g.x + b.x, (v.y - s.x) * s.y * g.y + b.y);
  }
  return x;
}

// out (m, N) = f(norm(x) (m, K) @ w (N, K)^T + bias) + residual: 8 * B rows and 16 * R columns a
// block; rows beyond m repeat the last one and are not written. Warps share out K. The weights are
// the matrix unit's row operand: they are read once. The order of K within 32 is permuted, the same
// for both operands, so that a lane loads 16 bytes.
template <int K, int B, int WARPS, int R, int U, bool NORM, bool GELU, bool RESIDUAL,
          bool BIAS, typename T>
__device__ void product(const __half* x, const __half* w, const __half* bias, const __half* gain,
                        const __half* shift, const __half* residual, T* out, int m, int N) {
  __shared__ float part[WARPS][B * 128];
  __shared__ float2 stats[8 * B];
  constexpr int span = K / WARPS;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const int n0 = blockIdx.x * 16 * R, m0 = blockIdx.y * 8 * B;
  float sums[R][B][4] = {};
  const int k0 = warp * span + 8 * t;
  const __half* rows[2 * R];
#pragma unroll
  for (int r = 0; r < 2 * R; r++) rows[r] = w + size_t(min(n0 + 8 * r + g, N - 1)) * K + k0;
  const __half* columns[B];
#pragma unroll
  for (int b = 0; b < B; b++) columns[b] = x + size_t(min(m0 + 8 * b + g, m - 1)) * K + k0;
  uint4 a[U][2 * R];
  auto load = [&](int k) {
#pragma unroll
    for (int u = 0; u < U; u++)
#pragma unroll
      for (int r = 0; r < 2 * R; r++)
        a[u][r] = *reinterpret_cast<const uint4*>(rows[r] + k + 32 * u);
  };
  load(0);
  if constexpr (NORM) {
    statistics<K, 8 * B, WARPS>(x, stats, m0, m);
    __syncthreads();
  }
#pragma unroll 1
  for (int k = 0; k < span; k += 32 * U) {
    uint4 v[U][B];  // all loads before the first use
#pragma unroll
    for (int u = 0; u < U; u++)
#pragma unroll
      for (int b = 0; b < B; b++)
        v[u][b] = *reinterpret_cast<const uint4*>(columns[b] + k + 32 * u);
#pragma unroll
    for (int u = 0; u < U; u++) {
      uint4 gains, shifts;
      if constexpr (NORM) {
        gains = *reinterpret_cast<const uint4*>(gain + k0 + k + 32 * u);
        shifts = *reinterpret_cast<const uint4*>(shift + k0 + k + 32 * u);
      }
#pragma unroll
      for (int b = 0; b < B; b++) {
        if constexpr (NORM) v[u][b] = normalised(v[u][b], stats[8 * b + g], gains, shifts);
#pragma unroll
        for (int r = 0; r < R; r++) {
          const uint4 p = a[u][2 * r], q = a[u][2 * r + 1];
          mma(sums[r][b], p.x, q.x, p.y, q.y, v[u][b].x, v[u][b].y);
          mma(sums[r][b], p.z, q.z, p.w, q.w, v[u][b].z, v[u][b].w);
        }
      }
    }
    if (k + 32 * U < span) load(k + 32 * U);
  }
#pragma unroll
  for (int r = 0; r < R; r++) {
    __syncthreads();
#pragma unroll
    for (int b = 0; b < B; b++)
#pragma unroll
      for (int i = 0; i < 4; i++) part[warp][b * 128 + lane * 4 + i] = sums[r][b][i];
    __syncthreads();
    for (int e = threadIdx.x; e < B * 128; e += blockDim.x) {
      const int i = e % 4, l = e / 4 % 32, n = n0 + 16 * r + l / 4 + (i / 2) * 8;
      const int row = m0 + e / 128 * 8 + (l % 4) * 2 + i % 2;
      if (n >= N || row >= m) continue;
      float v = 0.f;
#pragma unroll
      for (int p = 0; p < WARPS; p++) v += part[p][e];
      if constexpr (BIAS) v += __half2float(bias[n]);
      if constexpr (GELU) v = 0.5f * v * (1.f + erff(v * 0.70710678f));
      if constexpr (RESIDUAL) v += __half2float(residual[size_t(row) * N + n]);
      out[size_t(row) * N + n] = T(v);
    }
  }
}
