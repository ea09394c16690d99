      *> An EZASOKET server that an operator can end: SELECTEX waits for
      *> connections and for the post of its subtask, ezatask.c. An
      *> ACCEPT after that is ended by CANCEL of the subtask.
       IDENTIFICATION DIVISION.
       PROGRAM-ID. EZASEL.
       DATA DIVISION.
       WORKING-STORAGE SECTION.
       COPY "ezaserv.cpy".
       01  F-INITAPIX       PIC X(16) VALUE 'INITAPIX'.
       01  F-GETIBMOPT      PIC X(16) VALUE 'GETIBMOPT'.
       01  F-SELECTEX       PIC X(16) VALUE 'SELECTEX'.
       01  MAXSOC           PIC 9(8) COMP VALUE 60.
       01  IDENT.
           02 TCPNAME       PIC X(8) VALUE SPACES.
           02 ADSNAME       PIC X(8) VALUE 'EZASEL  '.
       01  COMMAND-IMAGES   PIC 9(8) COMP VALUE 1.
       01  IMAGES.
           02 IM-COUNT      PIC 9(8) COMP.
           02 IM OCCURS 8 TIMES.
              03 IM-STATUS  PIC X(2).
              03 IM-VERSION PIC 9(4) COMP.
              03 IM-NAME    PIC X(8).
       01  WAIT-TIME.
           02 WAIT-S        PIC S9(8) COMP VALUE 0.
           02 WAIT-US       PIC S9(8) COMP VALUE 1000.
       01  R-MASK           PIC X(4).
       01  SELECB           PIC X(4) VALUE LOW-VALUES.
       PROCEDURE DIVISION.
       MAIN.
           CALL 'EZASOKET' USING F-INITAPIX MAXSOC IDENT SUBTASK MAXSNO
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           CALL 'EZASOKET' USING F-GETIBMOPT COMMAND-IMAGES IMAGES
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE IM-COUNT TO SHOWN.
           DISPLAY 'IMAGES ' SHOWN.
           IF IM-STATUS(1) = X'8000'
               DISPLAY 'ACTIVE ' IM-NAME(1)
           END-IF.
           CALL 'EZASOKET' USING F-SOCKET AF-INET6 SOCK-STREAM PROTO
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE RETCODE TO S-LISTEN.
           CALL 'EZASOKET' USING F-BIND S-LISTEN SOCK-NAME
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           CALL 'EZASOKET' USING F-LISTEN S-LISTEN BACKLOG
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE '1' TO CHAR-MASK(S-LISTEN + 1:1).
           CALL 'EZACIC06' USING CTOB R-MASK CHAR-MASK SELECT-MAX
               RETCODE.
           PERFORM CHECK-IT.
           PERFORM SELECT-IT.
           IF RETCODE = 0 AND SELECB = LOW-VALUES
               DISPLAY 'TIME IS OVER'
           END-IF.
           MOVE -1 TO WAIT-S.
           CALL 'EZATASK' USING SELECB S-LISTEN.
           DISPLAY 'READY'.
           PERFORM SELECT-IT.
           PERFORM UNTIL RETCODE = 0
               PERFORM SERVE-IT
               PERFORM SELECT-IT
           END-PERFORM.
           IF SELECB NOT = LOW-VALUES
               DISPLAY 'POSTED'
           END-IF.
           CALL 'EZASOKET' USING F-ACCEPT S-LISTEN SOCK-NAME
               ERRNO RETCODE.
           MOVE RETCODE TO SHOWN.
           DISPLAY 'ACCEPT ' SHOWN.
           MOVE ERRNO TO SHOWN.
           DISPLAY 'ERRNO ' SHOWN.
           CALL 'EZASOKET' USING F-TERMAPI.
           STOP RUN.
       SELECT-IT.
           CALL 'EZASOKET' USING F-SELECTEX SELECT-MAX WAIT-TIME R-MASK
               NO-MASK NO-MASK R-RET W-RET E-RET SELECB ERRNO RETCODE.
           PERFORM CHECK-IT.
       SERVE-IT.
           CALL 'EZACIC06' USING BTOC R-RET CHAR-MASK SELECT-MAX
               RETCODE.
           IF CHAR-MASK(S-LISTEN + 1:1) NOT = '1'
               DISPLAY 'NOT THE LISTENER'
               STOP RUN RETURNING 1
           END-IF.
           CALL 'EZASOKET' USING F-ACCEPT S-LISTEN SOCK-NAME
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE RETCODE TO S-CONN.
           MOVE 80 TO NBYTE.
           CALL 'EZASOKET' USING F-READ S-CONN NBYTE BUF
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE RETCODE TO NBYTE.
           CALL 'EZASOKET' USING F-WRITE S-CONN NBYTE BUF
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           CALL 'EZASOKET' USING F-CLOSE S-CONN ERRNO RETCODE.
           PERFORM CHECK-IT.
       COPY "ezacheck.cpy".
