  const int head = blockIdx.x, row = blockIdx.y, split = blockIdx.z, n = k_shape[2];
  const size_t part = size_t(row) * HEADS + head;
  const int from = n * split / SPLITS, count = n * (split + 1) / SPLITS - from;
  const size_t begin = (part * n + from) * 8;
  __half* target = out + part * 64;
  float q[8];
  query(x + part * 64, q);
  const uint4 *keys = reinterpret_cast<const uint4*>(k) + begin,
              *values = reinterpret_cast<const uint4*>(v) + begin;
  float* all = partials + part * SPLITS * 66;
  attend<THREADS, MOST>(q, keys, values, nullptr, nullptr, count, target,
                        SPLITS > 1 ? all + split * 66 : nullptr);
  if constexpr (SPLITS > 1) {  // the last block of a head joins the parts
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
      unsigned* arrived = const_cast<unsigned*>(arrivals) + part;
      last = atomicAdd(arrived, 1u) == SPLITS - 1;
      if (last) *arrived = 0;
    }
    __syncthreads();
    if (last && threadIdx.x < 64) {
      __threadfence();
      float top = NEVER, sum = 0.f, value = 0.f;
      for (int s = 0; s < SPLITS; s++) top = fmaxf(top, __ldcg(all + s * 66));
      for (int s = 0; s < SPLITS; s++) {
        const float weight = __expf(__ldcg(all + s * 66) - top);
        sum += weight * __ldcg(all + s * 66 + 1);
        value += weight * __ldcg(all + s * 66 + 2 + threadIdx.x);
      }
      target[threadIdx.x] = __float2half(value / sum);
    }
  }
