// SPDX-License-Identifier: MIT
// Reads corpus files (tests/corpus/README.md). Comes in: the corpus tests. Each case owns its bytes and texts.
#include "corpus.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEFAULT_HEADER = 8192, DEFAULT_HEADERS = 100, DEFAULT_BODY = 1 << 20 };

static void fail(const char *path, const char *why) {
    fprintf(stderr, "%s: %s\n", path, why);
    exit(1);
}

static char *read_file(const char *path, size_t *len_out) {
    struct stat status;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &status) != 0) {
        fail(path, "cannot be read");
    }
    size_t size = (size_t)status.st_size;
    char *data = malloc(size + 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        fail(path, "cannot be read whole");
    }
    fclose(file);
    data[size] = '\0';
    *len_out = size;
    return data;
}

// Keeps the event lines of an expectation, in place; takes the limits out.
static void read_expectation(struct corpus_case *item, char *text, const char *path) {
    char *to = text;
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end == NULL) {
            fail(path, "the last line has no end");
        }
        size_t len = (size_t)(end + 1 - line);
        if (strncmp(line, "limits ", 7) == 0) {
            *end = '\0';
            if (sscanf(line, "limits header=%u headers=%u body=%u", &item->header, &item->headers, &item->body) !=
                3) {
                fail(path, "limits are header=N headers=N body=N");
            }
        } else if (line[0] != '#' && line[0] != '\n') {
            memmove(to, line, len);
            to += len;
        }
        line = end + 1;
    }
    *to = '\0';
    item->expected = text;
}

static void load_case(struct corpus *corpus, const char *dir, const char *group, const char *file) {
    char path[4096];
    size_t ignored;
    struct corpus_case item = {.header = DEFAULT_HEADER, .headers = DEFAULT_HEADERS, .body = DEFAULT_BODY};
    item.valid = strcmp(group, "valid") == 0;
    snprintf(path, sizeof path, "%s/%s/%s", dir, group, file);
    item.data = read_file(path, &item.len);
    item.name = strdup(path + strlen(dir) + 1);
    strcpy(strrchr(path, '.'), ".expect");
    read_expectation(&item, read_file(path, &ignored), path);
    corpus->cases = realloc(corpus->cases, (corpus->n_cases + 1) * sizeof item);
    if (corpus->cases == NULL || item.name == NULL) {
        fail(path, "no memory");
    }
    corpus->cases[corpus->n_cases++] = item;
}

static void load_group(struct corpus *corpus, const char *dir, const char *group, const char *suffix) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, group);
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        fail(path, "cannot be listed");
    }
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(entries[i]->d_name, '.');
        if (dot != NULL && dot != entries[i]->d_name && strcmp(dot, suffix) == 0) {
            load_case(corpus, dir, group, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
}

void corpus_load(struct corpus *corpus, const char *dir, const char *suffix) {
    *corpus = (struct corpus){0};
    load_group(corpus, dir, "invalid", suffix);
    load_group(corpus, dir, "valid", suffix);
    if (corpus->n_cases == 0) {
        fail(dir, "holds no cases");
    }
}

void corpus_free(struct corpus *corpus) {
    for (size_t i = 0; i < corpus->n_cases; i++) {
        free(corpus->cases[i].name);
        free(corpus->cases[i].data);
        free(corpus->cases[i].expected);
    }
    free(corpus->cases);
}
