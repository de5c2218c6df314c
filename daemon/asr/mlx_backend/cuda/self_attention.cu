  const int head = blockIdx.x, row = blockIdx.y, width = HEADS * 64, capacity = cache_shape[2];
  const int at = position[row];
  const __half* of = qkv + size_t(row) * 3 * width + head * 64;
  const uint4 *k_new = reinterpret_cast<const uint4*>(of + width),
              *v_new = reinterpret_cast<const uint4*>(of + 2 * width);
  // The cache is written in place; `mx.depends` tells MLX that it has changed.
  uint4* k = const_cast<uint4*>(reinterpret_cast<const uint4*>(cache)) +
             (size_t(row) * 2 * HEADS + head) * capacity * 8;
  uint4* v = k + size_t(HEADS) * capacity * 8;
  if (threadIdx.x < 8) k[at * 8 + threadIdx.x] = k_new[threadIdx.x];
  else if (threadIdx.x < 16) v[at * 8 + threadIdx.x - 8] = v_new[threadIdx.x - 8];
  float q[8];
  query(of, q);
  attend<128, 448>(q, k, v, k_new, v_new, at + 1, out + size_t(row) * width + head * 64);
