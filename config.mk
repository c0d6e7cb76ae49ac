# What a packager or a user sets. Everything can also be given on the command line: make CC=clang PREFIX=/usr
VERSION = 0.1.0
PREFIX = /usr/local
DESTDIR =
CC = cc
AR = ar
CFLAGS = -O2 -g
LDFLAGS =
