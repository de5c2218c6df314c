/* Fake stages that take next to no time: what is left is what the daemon itself costs a file.

   fast_stage MILLISECONDS STAGE: speaks daemon/handoff/protocol.py, checks like PREPARE that the
   recording is the one that was settled, and writes that stage's artefact. Each attempt sleeps for
   up to MILLISECONDS before its artefact is whole, so that it can be interrupted there.

   STAGE may be a module: what is before its last dot, and further arguments, do not count. The
   recording is text, as fake_recording.py describes it: its first line is what is said, plain
   ASCII without quotation marks, and a line "@STAGE BEHAVIOUR [TIMES]" asks that stage to
   misbehave as misbehaviour.py says, in one of the ways that `misbehave` knows. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sha256.h"

enum { LARGEST = 65536, PATHS = 8192 };
static char folder[4096], nonce[256], recording[LARGEST], said[LARGEST];
static size_t recording_size;
static long milliseconds;

/* Files in the job's folder */

static const char *inside(const char *name) {
    static char path[PATHS];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* How much of it there is, with a zero behind; 0 if there is no such file. */
static size_t contents(const char *path, char *into) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? 0 : read(file, into, LARGEST - 128);
    if (file >= 0) close(file);
    into[got > 0 ? got : 0] = 0;
    return got > 0 ? got : 0;
}

static FILE *opened(const char *name) {
    FILE *file = fopen(inside(name), "w");
    if (!file) exit(7);
    return file;
}

/* Written under a name that says that it is not whole, and then renamed, as the real stages do. */
static void write_artefact(const char *name, const char *text) {
    char temporary[PATHS];
    FILE *file = opened(".dropscribe-fast.tmp");
    fputs(text, file);
    fflush(file);
    if (milliseconds) usleep(rand() % (1000 * milliseconds));
    fclose(file);
    snprintf(temporary, sizeof temporary, "%s/.dropscribe-fast.tmp", folder);
    if (rename(temporary, inside(name))) exit(7);
}

/* The text after "KEY": " in `line`, up to the next quotation mark. */
static int value(const char *line, const char *key, char *out, size_t size) {
    const char *at = strstr(line, key);
    if (!at) return 0;
    at = strchr(at + strlen(key), '"');
    const char *end = at ? strchr(at + 1, '"') : NULL;
    if (!end || (size_t)(end - at) > size) return 0;
    memcpy(out, at + 1, end - at - 1);
    out[end - at - 1] = 0;
    return 1;
}

static long long number(const char *text, const char *key) {
    const char *at = strstr(text, key);
    return at ? atoll(at + strlen(key)) : -1;
}

/* Where the recording lies. */
static void find_source(const char *request, char *path, size_t size) {
    char hex[PATHS];
    size_t at = 0;
    if (!value(request, "\"source\":", hex, sizeof hex)) exit(7);
    for (; hex[2 * at] && at + 1 < size; at++) sscanf(hex + 2 * at, "%2hhx", (unsigned char *)path + at);
    path[at] = 0;
}

/* The end of an attempt */

static void receipt(const char *kind, const char *message) {
    printf("{\"type\":\"receipt\",\"nonce\":\"%s\",\"usage\":{\"cpu_seconds\":0.001,\"peak_rss_bytes\":1000000}", nonce);
    if (kind) printf(",\"kind\":\"%s\",\"message\":\"%s\"", kind, message);
    puts("}");
}

/* What the recording asks of the stage at this start of it for the job: "" to work. */
static const char *asked_behaviour(const char *stage) {
    static char name[64];
    char key[64], counter[64], before[LARGEST];
    int times = -1;
    snprintf(key, sizeof key, "\n@%s ", stage);
    const char *line = strstr(recording, key);
    if (!line || sscanf(line + strlen(key), "%63s%*[ ]%d", name, &times) < 1) return "";
    snprintf(counter, sizeof counter, "fake-%s-starts", stage);
    contents(inside(counter), before);
    FILE *file = opened(counter);
    fprintf(file, "%d", atoi(before) + 1);
    fclose(file);
    return times >= 0 && atoi(before) >= times ? "" : name;
}

/* Whether the stage is to work all the same; else its end was told. */
static int misbehave(const char *how) {
    if (!strcmp(how, "kill")) raise(SIGKILL);
    if (!strcmp(how, "segv")) raise(SIGSEGV);
    if (!strcmp(how, "abort")) abort();
    if (!strcmp(how, "leave")) _exit(0);
    if (!strcmp(how, "disk_full")) return receipt("environment", "No space left on device"), 0;
    if (!strcmp(how, "defect")) return receipt("crashed", "a defect of a library"), 0;
    if (!strcmp(how, "bad_input")) return receipt("bad_input", "this is not a recording"), 0;
    if (!strcmp(how, "no_result")) return receipt(NULL, NULL), 0;
    if (*how && strcmp(how, "truncated_result") && strcmp(how, "abort_at_exit")) exit(8);
    return 1;
}

static void misbehave_at_the_end(const char *how, const char *artefact) {
    char text[LARGEST];
    if (!strcmp(how, "truncated_result") && truncate(inside(artefact), contents(inside(artefact), text) - 20)) exit(7);
    receipt(NULL, NULL);
    if (!strcmp(how, "abort_at_exit")) abort();
}

/* The stages */

static int is_settled(const struct stat *found, const char *request) {
    return found->st_size == number(request, "\"size\":") && (long long)found->st_ino == number(request, "\"inode\":")
        && found->st_mtim.tv_sec * 1000000000LL + found->st_mtim.tv_nsec == number(request, "\"mtime_ns\":")
        && found->st_ctim.tv_sec * 1000000000LL + found->st_ctim.tv_nsec == number(request, "\"ctime_ns\":");
}

/* The kind of failure if what is open, or what has its name, is not what was settled; else NULL. */
static const char *changed(int file, const char *path, const char *request) {
    struct stat open_one, named;
    if (lstat(path, &named)) return "vanished";
    return fstat(file, &open_one) || !is_settled(&open_one, request) || !is_settled(&named, request) ? "changed" : NULL;
}

/* Read the recording as PREPARE does; the kind of failure if it cannot be. */
static const char *read_recording(void) {
    char request[LARGEST], path[4096];
    contents(inside("request.json"), request);
    find_source(request, path, sizeof path);
    int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return errno == ENOENT ? "vanished" : errno == ELOOP ? "changed" : "crashed";
    const char *problem = changed(file, path, request);
    ssize_t got = problem ? 0 : read(file, recording, LARGEST - 128);
    if (!problem) problem = got == 0 ? "bad_input" : changed(file, path, request);
    close(file);
    recording_size = got > 0 ? got : 0;
    recording[recording_size] = 0;
    return problem;
}

static const char *prepare(void) {
    static char text[1024];
    char digest[65];
    FILE *copy = opened("fake-recording");
    fwrite(recording, 1, recording_size, copy);
    fclose(copy);
    fclose(opened("audio.npy"));
    sha256((unsigned char *)recording, recording_size, digest);
    snprintf(text, sizeof text, "{\"nonce\":\"%s\",\"sha256\":\"%s\",\"bytes\":%zu,\"duration\":1.0,\"container\":\"wav\","
        "\"codec\":\"pcm\",\"recorded_at\":null,\"warnings\":[],\"speech\":[[0,1]]}", nonce, digest, recording_size);
    return text;
}

static const char *transcribe(void) {
    static char text[LARGEST + 1024];
    snprintf(text, sizeof text, "{\"nonce\":\"%s\",\"language\":\"en\",\"language_probability\":1.0,\"segments\":[{\"id\":0,"
        "\"start\":0.25,\"end\":0.75,\"text\":\"%s\",\"avg_logprob\":-0.1,\"no_speech_prob\":0.0}],"
        "\"backend\":\"fake\",\"device\":\"none\",\"model\":\"fake\",\"model_revision\":\"0\",\"versions\":{}}", nonce, said);
    return text;
}

static const char *align(void) {
    static char text[4 * LARGEST];
    char words[LARGEST];
    size_t at = snprintf(text, sizeof text, "{\"nonce\":\"%s\",\"status\":\"complete\",\"reason\":\"\",\"model\":\"fake\",\"words\":{\"0\":[", nonce);
    strcpy(words, said);
    int count = 0;
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "), count++)
        at += snprintf(text + at, sizeof text - at, "%s{\"word\":\"%s\",\"start\":%.3f,\"end\":%.3f,\"score\":0.9,\"source\":\"aligned\"}",
            count ? "," : "", word, 0.25 + 0.01 * count, 0.255 + 0.01 * count);
    snprintf(text + at, sizeof text - at, "]}}");
    return text;
}

/* The output set in outputs/; returns what says so. */
static const char *publish(void) {
    static const char *suffixes[] = {"txt", "srt", "vtt", "tsv", "html", "timing.json", "json"};
    static char text[PATHS];
    char request[LARGEST], prepared[LARGEST], source[4096], digest[65], name[64];
    long size;
    contents(inside("request.json"), request);
    contents(inside("prepared.json"), prepared);
    find_source(request, source, sizeof source);
    if (!value(prepared, "\"sha256\":", digest, sizeof digest)) exit(7);
    char *stem = strrchr(source, '/') + 1, *dot = strrchr(stem, '.');
    if (dot) *dot = 0;
    mkdir(inside("outputs"), 0700);
    size_t at = snprintf(text, sizeof text, "{\"nonce\":\"%s\",\"name\":\"%s\",\"sizes\":{", nonce, stem);
    for (int i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "outputs/%s", suffixes[i]);
        FILE *file = opened(name);
        fprintf(file, "{\"text\":\"%s\",\"provenance\":{\"sha256\":\"%s\"}}", said, digest);
        size = ftell(file);
        fclose(file);
        at += snprintf(text + at, sizeof text - at, "%s\"%s\":%ld", i ? "," : "", suffixes[i], size);
    }
    snprintf(text + at, sizeof text - at, "},\"facts\":{\"backend\":\"fake\",\"device\":\"none\",\"model\":\"fake\",\"language\":\"en\","
        "\"audio_seconds\":1.0,\"segments\":1,\"words\":1,\"coverage\":1.0,\"alignment\":\"complete\"}}");
    return text;
}

static const struct { const char *name, *artefact; const char *(*work)(void); } STAGES[] = {
    {"prepare", "prepared.json", prepare}, {"transcribe", "transcript.json", transcribe},
    {"align", "alignment.json", align}, {"publish", "outputs.json", publish}};

static void attempt(int stage) {
    if (stage == 0) {
        const char *problem = read_recording();
        if (problem) {
            receipt(problem, "the file is not the one that was settled");
            return;
        }
    } else {
        recording_size = contents(inside("fake-recording"), recording);
    }
    memcpy(said, recording, strcspn(recording, "\n"));
    said[strcspn(recording, "\n")] = 0;
    while (*said && said[strlen(said) - 1] == ' ') said[strlen(said) - 1] = 0;
    const char *how = asked_behaviour(STAGES[stage].name);
    if (!misbehave(how)) return;
    write_artefact(STAGES[stage].artefact, STAGES[stage].work());
    misbehave_at_the_end(how, STAGES[stage].artefact);
}

int main(int count, char **arguments) {
    static char line[LARGEST];
    int stage = -1, is_asked = 0;
    const char *name = count > 2 ? arguments[2] : "";
    if (strrchr(name, '.')) name = strrchr(name, '.') + 1;
    for (int at = 0; at < 4; at++)
        if (!strcmp(name, STAGES[at].name)) stage = at;
    if (stage < 0) return 2;
    int is_aligner = !strcmp(name, "align");
    milliseconds = atol(arguments[1]);
    srand(getpid() ^ time(NULL));
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("{\"type\":\"ready\"}");
    while (fgets(line, sizeof line, stdin)) {
        if (value(line, "\"job\":", folder, sizeof folder)) {
            if (!value(line, "\"nonce\":", nonce, sizeof nonce)) return 7;
            is_asked = 1;
            if (is_aligner) continue; /* its input is not whole yet */
        } else if (!(is_aligner && is_asked && strstr(line, "\"complete\": true"))) {
            continue;
        }
        attempt(stage);
        is_asked = 0;
    }
    return 0;
}
