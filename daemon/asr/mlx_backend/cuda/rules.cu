  __shared__ Best scratch[32];
  const int row = blockIdx.x;
  const float* scores = logits + size_t(row) * V;
  const int old = last[row], stamp = stamps[row];
  const bool stamped = old >= BEGIN, opens = stamped && before[row] >= BEGIN;
  const bool closes = stamped && !opens;
  const int earliest = closes ? stamp : stamp + 1;
  Best text{NEVER, 0.f, V}, times{NEVER, 0.f, V};
  constexpr int U = 8;  // all loads before the first use
  for (int first = threadIdx.x; first < V; first += U * blockDim.x) {
    float score[U];
    bool may[U];
#pragma unroll
    for (int u = 0; u < U; u++) {
      const int i = first + u * blockDim.x;
      score[u] = i < V ? scores[i] : NEVER;
      may[u] = i < BEGIN ? allowed[i] && !(closes && i < EOT) : i < V && !opens && i >= earliest;
    }
#pragma unroll
    for (int u = 0; u < U; u++) {
      const int i = first + u * blockDim.x;
      if (!may[u]) continue;
      if (i < BEGIN) text = joined(text, Best{score[u], 1.f, i});
      else times = joined(times, Best{score[u], 1.f, i});
    }
  }
  text = over_block(text, scratch);
  times = over_block(times, scratch);
  if (threadIdx.x != 0) return;
  const float all_times = times.sum > 0.f ? times.top + logf(times.sum) : NEVER;
  const bool win = all_times > text.top;
  const Best best = win || times.top > text.top ? times : text;
  const Best both = joined(text, times);
  const float total = win ? all_times : both.top + logf(both.sum);
  const bool finished = done[row];
  const int token = finished ? EOT : best.index;
  const int at = position[row] + (finished ? 0 : 1);
  new_last[row] = token;
  new_stamp[row] = token >= BEGIN ? token : stamp;
  new_position[row] = at;
  new_logprob[row] = logprob[row] + (finished ? 0.f : best.top - total);
  new_done[row] = finished || token == EOT || at >= limit[row];
