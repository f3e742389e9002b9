/*
 * Stands between a process and its disk, its sockets and its clock, and does what the rules in a shared file say: fail,
 * wait, write half, or end the process before or after the n-th call. Loaded by LD_PRELOAD; `shim.ts` writes the rules.
 *
 * With `tracks`, it remembers every page that was written and not synced, so that an end can be a power cut: then those
 * pages are again what they were. A page whose sync failed stays lost until it is written anew, as on Linux.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
enum { OP_WRITE = 1, OP_SYNC = 2, OP_SEND = 4, OP_OPEN = 8 };
enum { COUNT = 0, KILL_BEFORE, KILL_AFTER, FAIL, DELAY, SHORT };

/* 128 bytes each; shim.ts knows the same offsets. */
struct rule {
  unsigned ops, action, value, cut;
  unsigned long at;    /* the n-th call; 0 is every call */
  unsigned long count; /* calls so far; we add */
  unsigned long hits;  /* times the rule did something */
  char match[88];      /* a part of the path, or tcp:PORT */
};
struct control {
  long offset_ms; /* added to the wall clock */
  unsigned long tracks;
  char spare[112];
  struct rule rules[8];
};

struct page { unsigned long index; int lost; struct page *next; char bytes[PAGE]; };
struct file { dev_t dev; ino_t ino; off_t size; char path[512]; struct page *pages; struct file *next; };

static struct control *control;
static struct file *files;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ({ static typeof(&name) it; if (!it) it = (typeof(&name))dlsym(RTLD_NEXT, #name); it; })

__attribute__((constructor)) static void load(void) {
  const char *path = getenv("SHIM_CONTROL");
  int fd = path ? REAL(open)(path, O_RDWR) : -1;
  if (fd < 0) return;
  void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) control = at;
  close(fd);
}

/* The path of a file, or tcp:LOCAL tcp:PEER of a socket. */
static void describe(int fd, char *name, size_t size) {
  struct sockaddr_storage one = {0}, other = {0};
  socklen_t length = sizeof one, other_length = sizeof other;
  name[0] = 0;
  if (getsockname(fd, (struct sockaddr *)&one, &length) == 0) {
    if (getpeername(fd, (struct sockaddr *)&other, &other_length) != 0) return;
    /* The port is at the same place in both families. */
    if (one.ss_family == AF_INET || one.ss_family == AF_INET6)
      snprintf(name, size, "tcp:%d tcp:%d ", ntohs(((struct sockaddr_in *)&one)->sin_port),
               ntohs(((struct sockaddr_in *)&other)->sin_port));
    return;
  }
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t got = readlink(link, name, size - 1);
  name[got > 0 ? got : 0] = 0;
}

static struct file *file_of(int fd, int make) {
  struct stat stat;
  if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) return NULL;
  for (struct file *it = files; it; it = it->next)
    if (it->ino == stat.st_ino && it->dev == stat.st_dev) return it;
  if (!make) return NULL;
  struct file *it = calloc(1, sizeof *it);
  *it = (struct file){.dev = stat.st_dev, .ino = stat.st_ino, .size = stat.st_size, .next = files};
  describe(fd, it->path, sizeof it->path);
  return files = it;
}

/* Remembers what is at a place before it is overwritten. */
static void remember(int fd, off_t offset, size_t bytes) {
  if (!control->tracks || bytes == 0) return;
  pthread_mutex_lock(&mutex);
  struct file *file = file_of(fd, 1);
  for (unsigned long index = offset / PAGE; file && index <= (offset + bytes - 1) / PAGE; index++) {
    struct page *page = file->pages;
    while (page && page->index != index) page = page->next;
    if (!page) {
      page = calloc(1, sizeof *page);
      page->index = index;
      page->next = file->pages;
      file->pages = page;
      if (pread(fd, page->bytes, PAGE, index * PAGE) < 0) memset(page->bytes, 0, PAGE);
    }
    page->lost = 0;
  }
  pthread_mutex_unlock(&mutex);
}

static void synced(int fd, int done) {
  if (!control->tracks) return;
  pthread_mutex_lock(&mutex);
  struct file *file = file_of(fd, 0);
  for (struct page **at = file ? &file->pages : NULL; at && *at;) {
    struct page *page = *at;
    if (!done) page->lost = 1;
    if (!done || page->lost) at = &page->next;
    else { *at = page->next; free(page); }
  }
  struct stat stat;
  if (file && done && fstat(fd, &stat) == 0) file->size = stat.st_size;
  pthread_mutex_unlock(&mutex);
}

static void end(int cut) {
  if (cut) {
    /* Never unlocked: no other thread may write or sync anything behind the cut. */
    pthread_mutex_lock(&mutex);
    for (struct file *file = files; file; file = file->next) {
      int fd = REAL(open)(file->path, O_WRONLY);
      if (fd < 0) continue;
      for (struct page *page = file->pages; page; page = page->next)
        if (REAL(pwrite64)(fd, page->bytes, PAGE, page->index * PAGE) < 0) perror("shim");
      struct stat stat;
      if (fstat(fd, &stat) == 0 && stat.st_size > file->size && ftruncate(fd, file->size) != 0) perror("shim");
      close(fd);
    }
  }
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* What the rules want of this call; the last one that is not only counted. */
static struct rule *judge(unsigned op, const char *name) {
  struct rule *found = NULL;
  for (struct rule *it = control->rules; it < control->rules + 8; it++) {
    if (!(it->ops & op) || !strstr(name, it->match)) continue;
    unsigned long count = __atomic_add_fetch(&it->count, 1, __ATOMIC_SEQ_CST);
    if (it->action == COUNT || (it->at != 0 && it->at != count)) continue;
    __atomic_add_fetch(&it->hits, 1, __ATOMIC_SEQ_CST);
    found = it;
  }
  return found;
}

static int wanted(unsigned op) {
  if (!control) return 0;
  for (struct rule *it = control->rules; it < control->rules + 8; it++)
    if (it->ops & op) return 1;
  return 0;
}

/* Does what is due before a call; true when the call is to fail with errno. */
static int before(struct rule *rule) {
  if (!rule) return 0;
  if (rule->action == KILL_BEFORE) end(rule->cut);
  if (rule->action == DELAY) usleep(rule->value * 1000);
  if (rule->action == FAIL) errno = rule->value;
  return rule->action == FAIL;
}

static struct rule *judge_fd(int fd, unsigned op) {
  char name[512];
  if (!wanted(op)) return NULL;
  describe(fd, name, sizeof name);
  return judge(op & (strncmp(name, "tcp:", 4) == 0 ? OP_SEND : ~OP_SEND), name);
}

#define AROUND(op, fd, failed, call) \
  struct rule *rule = judge_fd(fd, op); \
  if (before(rule)) return failed; \
  typeof(call) result = (call); \
  if (rule && rule->action == KILL_AFTER) end(rule->cut); \
  return result
#define HALF(size) (rule && rule->action == SHORT && (size) > 1 ? (size) / 2 : (size))

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset) {
  if (control) remember(fd, offset, size);
  AROUND(OP_WRITE, fd, -1, REAL(pwrite64)(fd, bytes, HALF(size), offset));
}
ssize_t write(int fd, const void *bytes, size_t size) {
  if (control && control->tracks) {
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (at >= 0) remember(fd, at, size);
  }
  AROUND(OP_WRITE | OP_SEND, fd, -1, REAL(write)(fd, bytes, HALF(size)));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  AROUND(OP_WRITE | OP_SEND, fd, -1, REAL(writev)(fd, parts, count));
}
ssize_t send(int fd, const void *bytes, size_t size, int flags) {
  AROUND(OP_SEND, fd, -1, REAL(send)(fd, bytes, size, flags));
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  AROUND(OP_SEND, fd, -1, REAL(sendmsg)(fd, message, flags));
}
int ftruncate64(int fd, off64_t size) { AROUND(OP_WRITE, fd, -1, REAL(ftruncate64)(fd, size)); }

static int sync_with(int fd, int (*real)(int)) {
  struct rule *rule = judge_fd(fd, OP_SYNC);
  int failed = before(rule);
  if (control) synced(fd, !failed);
  int result = failed ? -1 : real(fd);
  if (rule && rule->action == KILL_AFTER) end(rule->cut);
  if (failed) errno = rule->value;
  return result;
}
int fdatasync(int fd) { return sync_with(fd, REAL(fdatasync)); }
int fsync(int fd) { return sync_with(fd, REAL(fsync)); }

static int open_with(const char *path, int flags, int mode, int (*real)(const char *, int, ...)) {
  struct rule *rule = wanted(OP_OPEN) ? judge(OP_OPEN, path) : NULL;
  return before(rule) ? -1 : real(path, flags, mode);
}
#define MODE ({ va_list rest; va_start(rest, flags); int it = flags & O_CREAT ? va_arg(rest, int) : 0; va_end(rest); it; })
int open(const char *path, int flags, ...) { return open_with(path, flags, MODE, REAL(open)); }
int open64(const char *path, int flags, ...) { return open_with(path, flags, MODE, REAL(open64)); }

int clock_gettime(clockid_t clock, struct timespec *at) {
  int result = REAL(clock_gettime)(clock, at);
  if (result == 0 && control && clock == CLOCK_REALTIME && control->offset_ms) {
    long ns = at->tv_nsec + control->offset_ms % 1000 * 1000000;
    at->tv_sec += control->offset_ms / 1000 + (ns >= 1000000000) - (ns < 0);
    at->tv_nsec = (ns + 1000000000) % 1000000000;
  }
  return result;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  (void)zone;
  int result = clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return result;
}
