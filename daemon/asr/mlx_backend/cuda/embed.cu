  const int row = blockIdx.x;
  const int token = tokens[row], at = position[row];
  const __half *word = embedding + size_t(token) * D, *place = positions + size_t(at) * D;
  for (int i = threadIdx.x; i < D; i += blockDim.x)
    out[size_t(row) * D + i] = __hadd(word[i], place[i]);
