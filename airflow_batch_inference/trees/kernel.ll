; Made of kernel.c by `make kernel`; SHA-256 of that text: 66c5b41a183cfc58c5699e93e9fdb12625c532ef3e0b7ee6d0a2c978476a240f

%struct.column = type { i64, i64, i64, i64, double, i64, i64 }

; Function Attrs: nofree norecurse nosync nounwind memory(readwrite, inaccessiblemem: none)
define dso_local void @score(ptr nocapture noundef readonly %of, i64 noundef %start, i64 noundef %stop, ptr nocapture noundef %tiles, ptr nocapture noundef %sums, ptr nocapture noundef writeonly %out) local_unnamed_addr #0 {
entry:
  %asked.i = alloca [16 x double], align 16
  %leaves.i = alloca [16 x i32], align 16
  %last.i = alloca [16 x double], align 16
  %outputs1 = getelementptr inbounds i8, ptr %of, i64 160
  %0 = load i64, ptr %outputs1, align 8
  %width = getelementptr inbounds i8, ptr %of, i64 16
  %1 = load i64, ptr %width, align 8
  %add = shl i64 %1, 4
  %mul = add i64 %add, 16
  %cmp385 = icmp ult i64 %start, %stop
  br i1 %cmp385, label %for.body.lr.ph, label %for.cond.cleanup

for.body.lr.ph:                                   ; preds = %entry
  %height = getelementptr inbounds i8, ptr %of, i64 176
  %columns = getelementptr inbounds i8, ptr %of, i64 8
  %cuts = getelementptr inbounds i8, ptr %of, i64 24
  %rounds = getelementptr inbounds i8, ptr %of, i64 32
  %mul12 = shl i64 %0, 4
  %base = getelementptr inbounds i8, ptr %of, i64 168
  %trees = getelementptr inbounds i8, ptr %of, i64 48
  %groups = getelementptr inbounds i8, ptr %of, i64 152
  %values24 = getelementptr inbounds i8, ptr %of, i64 136
  %firsts = getelementptr inbounds i8, ptr %of, i64 144
  %splits = getelementptr inbounds i8, ptr %of, i64 56
  %chunks = getelementptr inbounds i8, ptr %of, i64 64
  %bounds = getelementptr inbounds i8, ptr %of, i64 72
  %sets = getelementptr inbounds i8, ptr %of, i64 120
  %nodes = getelementptr inbounds i8, ptr %of, i64 80
  %roots = getelementptr inbounds i8, ptr %of, i64 88
  %shift = getelementptr inbounds i8, ptr %of, i64 104
  %mask = getelementptr inbounds i8, ptr %of, i64 112
  %first_set = getelementptr inbounds i8, ptr %of, i64 128
  %steps = getelementptr inbounds i8, ptr %of, i64 96
  %mul57 = shl i64 %0, 7
  %cmp65373.not = icmp eq i64 %0, 0
  %adds_single70 = getelementptr inbounds i8, ptr %of, i64 40
  %.pre = load i64, ptr %height, align 8
  br label %for.body

for.cond.cleanup:                                 ; preds = %for.cond.cleanup84, %entry
  ret void

for.body:                                         ; preds = %for.body.lr.ph, %for.cond.cleanup84
  %2 = phi i64 [ %.pre, %for.body.lr.ph ], [ %239, %for.cond.cleanup84 ]
  %first.0386 = phi i64 [ %start, %for.body.lr.ph ], [ %add111, %for.cond.cleanup84 ]
  %sub = sub i64 %stop, %first.0386
  %mul2 = shl i64 %2, 4
  %sub.mul2 = tail call i64 @llvm.umin.i64(i64 %sub, i64 %mul2)
  %sub9 = add nuw i64 %sub.mul2, 15
  %div201 = lshr i64 %sub9, 4
  %3 = load ptr, ptr %of, align 8
  %4 = load ptr, ptr %columns, align 8
  %5 = load i64, ptr %width, align 8
  %6 = load ptr, ptr %cuts, align 8
  %cmp.i339.not = icmp eq i64 %sub.mul2, 0
  br i1 %cmp.i339.not, label %for.cond11.preheader, label %for.body.i.lr.ph

for.body.i.lr.ph:                                 ; preds = %for.body
  %7 = load i64, ptr %rounds, align 8
  %cmp8.i337.not = icmp eq i64 %5, 0
  %tobool.not.i270 = icmp eq i64 %7, 0
  %add38.i = shl i64 %5, 4
  %mul39.i = add i64 %add38.i, 16
  br label %for.body.i

for.cond11.preheader:                             ; preds = %for.cond.cleanup9.i, %for.body
  %mul13 = mul i64 %mul12, %div201
  %cmp14342.not = icmp eq i64 %mul13, 0
  br i1 %cmp14342.not, label %for.cond19.preheader, label %for.body16

for.body.i:                                       ; preds = %for.body.i.lr.ph, %for.cond.cleanup9.i
  %tiles.addr.0.i341 = phi ptr [ %tiles, %for.body.i.lr.ph ], [ %add.ptr40.i, %for.cond.cleanup9.i ]
  %at.0.i340 = phi i64 [ 0, %for.body.i.lr.ph ], [ %add37.i, %for.cond.cleanup9.i ]
  %sub.i = sub i64 %sub.mul2, %at.0.i340
  %cmp1.i = icmp ult i64 %sub.i, 16
  br label %for.body6.i

for.cond7.i.preheader:                            ; preds = %for.body6.i
  br i1 %cmp8.i337.not, label %for.cond.cleanup9.i, label %for.body10.i.lr.ph

for.body10.i.lr.ph:                               ; preds = %for.cond7.i.preheader
  %cond.i = tail call i64 @llvm.umin.i64(i64 %sub.i, i64 16)
  %sub23.i = add nsw i64 %cond.i, -1
  br label %for.body10.i

for.body6.i:                                      ; preds = %for.body.i, %for.body6.i
  %indvars.iv = phi i64 [ 0, %for.body.i ], [ %indvars.iv.next, %for.body6.i ]
  %arrayidx.i = getelementptr i32, ptr %tiles.addr.0.i341, i64 %indvars.iv
  store i32 -2147483648, ptr %arrayidx.i, align 4
  %indvars.iv.next = add nuw nsw i64 %indvars.iv, 1
  %exitcond.not = icmp eq i64 %indvars.iv.next, 16
  br i1 %exitcond.not, label %for.cond7.i.preheader, label %for.body6.i, !llvm.loop !1

for.cond.cleanup9.i:                              ; preds = %fill_column.exit, %for.cond7.i.preheader
  %add37.i = add nuw i64 %at.0.i340, 16
  %add.ptr40.i = getelementptr i32, ptr %tiles.addr.0.i341, i64 %mul39.i
  %cmp.i = icmp ult i64 %add37.i, %sub.mul2
  br i1 %cmp.i, label %for.body.i, label %for.cond11.preheader, !llvm.loop !4

for.body10.i:                                     ; preds = %for.body10.i.lr.ph, %fill_column.exit
  %number.0.i338 = phi i64 [ 0, %for.body10.i.lr.ph ], [ %add.i, %fill_column.exit ]
  %arrayidx11.i = getelementptr %struct.column, ptr %4, i64 %number.0.i338
  %8 = load i64, ptr %arrayidx11.i, align 8
  %arrayidx12.i = getelementptr i64, ptr %3, i64 %8
  %9 = load i64, ptr %arrayidx12.i, align 8
  %10 = inttoptr i64 %9 to ptr
  %add.ptr.i = getelementptr double, ptr %10, i64 %first.0386
  %add.ptr13.i = getelementptr double, ptr %add.ptr.i, i64 %at.0.i340
  call void @llvm.lifetime.start.p0(i64 128, ptr nonnull %last.i) #6
  br i1 %cmp1.i, label %for.body19.i, label %if.end.i

for.body19.i:                                     ; preds = %for.body10.i, %for.body19.i
  %lane15.0.i323 = phi i64 [ %inc29.i, %for.body19.i ], [ 0, %for.body10.i ]
  %cmp20.i = icmp ugt i64 %sub.i, %lane15.0.i323
  %cond25.i = select i1 %cmp20.i, i64 %lane15.0.i323, i64 %sub23.i
  %arrayidx26.i = getelementptr double, ptr %add.ptr13.i, i64 %cond25.i
  %11 = load double, ptr %arrayidx26.i, align 8
  %arrayidx27.i = getelementptr [16 x double], ptr %last.i, i64 0, i64 %lane15.0.i323
  store double %11, ptr %arrayidx27.i, align 8
  %inc29.i = add nuw nsw i64 %lane15.0.i323, 1
  %exitcond390.not = icmp eq i64 %inc29.i, 16
  br i1 %exitcond390.not, label %if.end.i, label %for.body19.i, !llvm.loop !5

if.end.i:                                         ; preds = %for.body19.i, %for.body10.i
  %values.0.i = phi ptr [ %add.ptr13.i, %for.body10.i ], [ %last.i, %for.body19.i ]
  %add.i = add nuw i64 %number.0.i338, 1
  %add.ptr32.idx.i = shl i64 %add.i, 6
  %add.ptr32.i = getelementptr i8, ptr %tiles.addr.0.i341, i64 %add.ptr32.idx.i
  %12 = load <16 x double>, ptr %values.0.i, align 8
  %conv.i271 = fptrunc <16 x double> %12 to <16 x float>
  %conv1.i272 = fpext <16 x float> %conv.i271 to <16 x double>
  %value.0.i273 = select i1 %tobool.not.i270, <16 x double> %12, <16 x double> %conv1.i272
  %elt.abs.i = tail call <16 x double> @llvm.fabs.v16f64(<16 x double> %value.0.i273)
  %tiny.i = getelementptr inbounds i8, ptr %arrayidx11.i, i64 32
  %13 = load double, ptr %tiny.i, align 8
  %splat.splatinsert.i274 = insertelement <16 x double> poison, double %13, i64 0
  %splat.splat.i275 = shufflevector <16 x double> %splat.splatinsert.i274, <16 x double> poison, <16 x i32> zeroinitializer
  %cmp.i276 = fcmp ole <16 x double> %elt.abs.i, %splat.splat.i275
  %is_tiny_missing.i = getelementptr inbounds i8, ptr %arrayidx11.i, i64 48
  %14 = load i64, ptr %is_tiny_missing.i, align 8
  %tobool2.not.i = icmp eq i64 %14, 0
  %cond.i277 = select i1 %tobool2.not.i, double 0.000000e+00, double 0x7FF8000000000000
  %splat.splatinsert3.i = insertelement <16 x double> poison, double %cond.i277, i64 0
  %15 = shufflevector <16 x double> %splat.splatinsert3.i, <16 x double> poison, <16 x i32> zeroinitializer
  %16 = select <16 x i1> %cmp.i276, <16 x double> %15, <16 x double> %value.0.i273
  %kind.i = getelementptr inbounds i8, ptr %arrayidx11.i, i64 8
  %17 = load i64, ptr %kind.i, align 8
  switch i64 %17, label %if.else17.i [
    i64 1, label %if.then8.i
    i64 0, label %if.then13.i
  ]

if.then8.i:                                       ; preds = %if.end.i
  %conv9.i = fptrunc <16 x double> %16 to <16 x float>
  %add.i287 = fadd <16 x float> %conv9.i, zeroinitializer
  %18 = bitcast <16 x float> %add.i287 to <16 x i32>
  %isneg.i = icmp slt <16 x i32> %18, zeroinitializer
  %and.i288 = select <16 x i1> %isneg.i, <16 x i32> <i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647>, <16 x i32> zeroinitializer
  %xor.i = xor <16 x i32> %and.i288, %18
  store <16 x i32> %xor.i, ptr %add.ptr32.i, align 4
  br label %fill_column.exit

if.then13.i:                                      ; preds = %if.end.i
  %first.i = getelementptr inbounds i8, ptr %arrayidx11.i, i64 16
  %19 = load i64, ptr %first.i, align 8
  %add.ptr.i278 = getelementptr double, ptr %6, i64 %19
  %cuts14.i = getelementptr inbounds i8, ptr %arrayidx11.i, i64 24
  %20 = load i64, ptr %cuts14.i, align 8
  %invariant.gep328 = getelementptr i8, ptr %add.ptr.i278, i64 -8
  %cmp.i293329 = icmp ugt i64 %20, 1
  br i1 %cmp.i293329, label %for.body.i303, label %for.cond11.i294.preheader

for.cond11.i294.preheader:                        ; preds = %for.body.i303, %if.then13.i
  %cut.0.i.lcssa = phi <16 x double> [ undef, %if.then13.i ], [ %vecins.i312.15, %for.body.i303 ]
  %at.0.i292.lcssa = phi <16 x i64> [ zeroinitializer, %if.then13.i ], [ %add6.i, %for.body.i303 ]
  %vecext15.i = extractelement <16 x i64> %at.0.i292.lcssa, i64 0
  %arrayidx16.i302 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i
  %21 = load double, ptr %arrayidx16.i302, align 8
  %vecins17.i = insertelement <16 x double> %cut.0.i.lcssa, double %21, i64 0
  %vecext15.i.1 = extractelement <16 x i64> %at.0.i292.lcssa, i64 1
  %arrayidx16.i302.1 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.1
  %22 = load double, ptr %arrayidx16.i302.1, align 8
  %vecins17.i.1 = insertelement <16 x double> %vecins17.i, double %22, i64 1
  %vecext15.i.2 = extractelement <16 x i64> %at.0.i292.lcssa, i64 2
  %arrayidx16.i302.2 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.2
  %23 = load double, ptr %arrayidx16.i302.2, align 8
  %vecins17.i.2 = insertelement <16 x double> %vecins17.i.1, double %23, i64 2
  %vecext15.i.3 = extractelement <16 x i64> %at.0.i292.lcssa, i64 3
  %arrayidx16.i302.3 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.3
  %24 = load double, ptr %arrayidx16.i302.3, align 8
  %vecins17.i.3 = insertelement <16 x double> %vecins17.i.2, double %24, i64 3
  %vecext15.i.4 = extractelement <16 x i64> %at.0.i292.lcssa, i64 4
  %arrayidx16.i302.4 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.4
  %25 = load double, ptr %arrayidx16.i302.4, align 8
  %vecins17.i.4 = insertelement <16 x double> %vecins17.i.3, double %25, i64 4
  %vecext15.i.5 = extractelement <16 x i64> %at.0.i292.lcssa, i64 5
  %arrayidx16.i302.5 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.5
  %26 = load double, ptr %arrayidx16.i302.5, align 8
  %vecins17.i.5 = insertelement <16 x double> %vecins17.i.4, double %26, i64 5
  %vecext15.i.6 = extractelement <16 x i64> %at.0.i292.lcssa, i64 6
  %arrayidx16.i302.6 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.6
  %27 = load double, ptr %arrayidx16.i302.6, align 8
  %vecins17.i.6 = insertelement <16 x double> %vecins17.i.5, double %27, i64 6
  %vecext15.i.7 = extractelement <16 x i64> %at.0.i292.lcssa, i64 7
  %arrayidx16.i302.7 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.7
  %28 = load double, ptr %arrayidx16.i302.7, align 8
  %vecins17.i.7 = insertelement <16 x double> %vecins17.i.6, double %28, i64 7
  %vecext15.i.8 = extractelement <16 x i64> %at.0.i292.lcssa, i64 8
  %arrayidx16.i302.8 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.8
  %29 = load double, ptr %arrayidx16.i302.8, align 8
  %vecins17.i.8 = insertelement <16 x double> %vecins17.i.7, double %29, i64 8
  %vecext15.i.9 = extractelement <16 x i64> %at.0.i292.lcssa, i64 9
  %arrayidx16.i302.9 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.9
  %30 = load double, ptr %arrayidx16.i302.9, align 8
  %vecins17.i.9 = insertelement <16 x double> %vecins17.i.8, double %30, i64 9
  %vecext15.i.10 = extractelement <16 x i64> %at.0.i292.lcssa, i64 10
  %arrayidx16.i302.10 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.10
  %31 = load double, ptr %arrayidx16.i302.10, align 8
  %vecins17.i.10 = insertelement <16 x double> %vecins17.i.9, double %31, i64 10
  %vecext15.i.11 = extractelement <16 x i64> %at.0.i292.lcssa, i64 11
  %arrayidx16.i302.11 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.11
  %32 = load double, ptr %arrayidx16.i302.11, align 8
  %vecins17.i.11 = insertelement <16 x double> %vecins17.i.10, double %32, i64 11
  %vecext15.i.12 = extractelement <16 x i64> %at.0.i292.lcssa, i64 12
  %arrayidx16.i302.12 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.12
  %33 = load double, ptr %arrayidx16.i302.12, align 8
  %vecins17.i.12 = insertelement <16 x double> %vecins17.i.11, double %33, i64 12
  %vecext15.i.13 = extractelement <16 x i64> %at.0.i292.lcssa, i64 13
  %arrayidx16.i302.13 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.13
  %34 = load double, ptr %arrayidx16.i302.13, align 8
  %vecins17.i.13 = insertelement <16 x double> %vecins17.i.12, double %34, i64 13
  %vecext15.i.14 = extractelement <16 x i64> %at.0.i292.lcssa, i64 14
  %arrayidx16.i302.14 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.14
  %35 = load double, ptr %arrayidx16.i302.14, align 8
  %vecins17.i.14 = insertelement <16 x double> %vecins17.i.13, double %35, i64 14
  %vecext15.i.15 = extractelement <16 x i64> %at.0.i292.lcssa, i64 15
  %arrayidx16.i302.15 = getelementptr double, ptr %add.ptr.i278, i64 %vecext15.i.15
  %36 = load double, ptr %arrayidx16.i302.15, align 8
  %vecins17.i.15 = insertelement <16 x double> %vecins17.i.14, double %36, i64 15
  %cmp21.i298 = fcmp olt <16 x double> %vecins17.i.15, %16
  %sext22.neg.i = zext <16 x i1> %cmp21.i298 to <16 x i64>
  %sub23.i299 = add <16 x i64> %at.0.i292.lcssa, %sext22.neg.i
  %conv.i300 = trunc <16 x i64> %sub23.i299 to <16 x i32>
  store <16 x i32> %conv.i300, ptr %add.ptr32.i, align 4
  br label %fill_column.exit

for.body.i303:                                    ; preds = %if.then13.i, %for.body.i303
  %left.0.i332 = phi i64 [ %sub8.i, %for.body.i303 ], [ %20, %if.then13.i ]
  %at.0.i292331 = phi <16 x i64> [ %add6.i, %for.body.i303 ], [ zeroinitializer, %if.then13.i ]
  %cut.0.i330 = phi <16 x double> [ %vecins.i312.15, %for.body.i303 ], [ undef, %if.then13.i ]
  %div43.i = lshr i64 %left.0.i332, 1
  %gep = getelementptr double, ptr %invariant.gep328, i64 %div43.i
  %vecext.i310 = extractelement <16 x i64> %at.0.i292331, i64 0
  %gep325 = getelementptr double, ptr %gep, i64 %vecext.i310
  %37 = load double, ptr %gep325, align 8
  %vecins.i312 = insertelement <16 x double> %cut.0.i330, double %37, i64 0
  %vecext.i310.1 = extractelement <16 x i64> %at.0.i292331, i64 1
  %gep325.1 = getelementptr double, ptr %gep, i64 %vecext.i310.1
  %38 = load double, ptr %gep325.1, align 8
  %vecins.i312.1 = insertelement <16 x double> %vecins.i312, double %38, i64 1
  %vecext.i310.2 = extractelement <16 x i64> %at.0.i292331, i64 2
  %gep325.2 = getelementptr double, ptr %gep, i64 %vecext.i310.2
  %39 = load double, ptr %gep325.2, align 8
  %vecins.i312.2 = insertelement <16 x double> %vecins.i312.1, double %39, i64 2
  %vecext.i310.3 = extractelement <16 x i64> %at.0.i292331, i64 3
  %gep325.3 = getelementptr double, ptr %gep, i64 %vecext.i310.3
  %40 = load double, ptr %gep325.3, align 8
  %vecins.i312.3 = insertelement <16 x double> %vecins.i312.2, double %40, i64 3
  %vecext.i310.4 = extractelement <16 x i64> %at.0.i292331, i64 4
  %gep325.4 = getelementptr double, ptr %gep, i64 %vecext.i310.4
  %41 = load double, ptr %gep325.4, align 8
  %vecins.i312.4 = insertelement <16 x double> %vecins.i312.3, double %41, i64 4
  %vecext.i310.5 = extractelement <16 x i64> %at.0.i292331, i64 5
  %gep325.5 = getelementptr double, ptr %gep, i64 %vecext.i310.5
  %42 = load double, ptr %gep325.5, align 8
  %vecins.i312.5 = insertelement <16 x double> %vecins.i312.4, double %42, i64 5
  %vecext.i310.6 = extractelement <16 x i64> %at.0.i292331, i64 6
  %gep325.6 = getelementptr double, ptr %gep, i64 %vecext.i310.6
  %43 = load double, ptr %gep325.6, align 8
  %vecins.i312.6 = insertelement <16 x double> %vecins.i312.5, double %43, i64 6
  %vecext.i310.7 = extractelement <16 x i64> %at.0.i292331, i64 7
  %gep325.7 = getelementptr double, ptr %gep, i64 %vecext.i310.7
  %44 = load double, ptr %gep325.7, align 8
  %vecins.i312.7 = insertelement <16 x double> %vecins.i312.6, double %44, i64 7
  %vecext.i310.8 = extractelement <16 x i64> %at.0.i292331, i64 8
  %gep325.8 = getelementptr double, ptr %gep, i64 %vecext.i310.8
  %45 = load double, ptr %gep325.8, align 8
  %vecins.i312.8 = insertelement <16 x double> %vecins.i312.7, double %45, i64 8
  %vecext.i310.9 = extractelement <16 x i64> %at.0.i292331, i64 9
  %gep325.9 = getelementptr double, ptr %gep, i64 %vecext.i310.9
  %46 = load double, ptr %gep325.9, align 8
  %vecins.i312.9 = insertelement <16 x double> %vecins.i312.8, double %46, i64 9
  %vecext.i310.10 = extractelement <16 x i64> %at.0.i292331, i64 10
  %gep325.10 = getelementptr double, ptr %gep, i64 %vecext.i310.10
  %47 = load double, ptr %gep325.10, align 8
  %vecins.i312.10 = insertelement <16 x double> %vecins.i312.9, double %47, i64 10
  %vecext.i310.11 = extractelement <16 x i64> %at.0.i292331, i64 11
  %gep325.11 = getelementptr double, ptr %gep, i64 %vecext.i310.11
  %48 = load double, ptr %gep325.11, align 8
  %vecins.i312.11 = insertelement <16 x double> %vecins.i312.10, double %48, i64 11
  %vecext.i310.12 = extractelement <16 x i64> %at.0.i292331, i64 12
  %gep325.12 = getelementptr double, ptr %gep, i64 %vecext.i310.12
  %49 = load double, ptr %gep325.12, align 8
  %vecins.i312.12 = insertelement <16 x double> %vecins.i312.11, double %49, i64 12
  %vecext.i310.13 = extractelement <16 x i64> %at.0.i292331, i64 13
  %gep325.13 = getelementptr double, ptr %gep, i64 %vecext.i310.13
  %50 = load double, ptr %gep325.13, align 8
  %vecins.i312.13 = insertelement <16 x double> %vecins.i312.12, double %50, i64 13
  %vecext.i310.14 = extractelement <16 x i64> %at.0.i292331, i64 14
  %gep325.14 = getelementptr double, ptr %gep, i64 %vecext.i310.14
  %51 = load double, ptr %gep325.14, align 8
  %vecins.i312.14 = insertelement <16 x double> %vecins.i312.13, double %51, i64 14
  %vecext.i310.15 = extractelement <16 x i64> %at.0.i292331, i64 15
  %gep325.15 = getelementptr double, ptr %gep, i64 %vecext.i310.15
  %52 = load double, ptr %gep325.15, align 8
  %vecins.i312.15 = insertelement <16 x double> %vecins.i312.14, double %52, i64 15
  %splat.splatinsert.i306 = insertelement <16 x i64> poison, i64 %div43.i, i64 0
  %splat.splat.i307 = shufflevector <16 x i64> %splat.splatinsert.i306, <16 x i64> poison, <16 x i32> zeroinitializer
  %cmp5.i308 = fcmp olt <16 x double> %vecins.i312.15, %16
  %and.i309 = select <16 x i1> %cmp5.i308, <16 x i64> %splat.splat.i307, <16 x i64> zeroinitializer
  %add6.i = add <16 x i64> %and.i309, %at.0.i292331
  %sub8.i = sub i64 %left.0.i332, %div43.i
  %cmp.i293 = icmp ugt i64 %sub8.i, 1
  br i1 %cmp.i293, label %for.body.i303, label %for.cond11.i294.preheader, !llvm.loop !6

if.else17.i:                                      ; preds = %if.end.i
  call void @llvm.lifetime.start.p0(i64 128, ptr nonnull %asked.i) #6
  store <16 x double> %16, ptr %asked.i, align 16
  br label %for.body.i282

for.cond.cleanup.i:                               ; preds = %for.body.i282
  call void @llvm.lifetime.end.p0(i64 128, ptr nonnull %asked.i) #6
  %.pre481 = load <16 x i32>, ptr %add.ptr32.i, align 4
  br label %fill_column.exit

for.body.i282:                                    ; preds = %if.else17.i, %for.body.i282
  %indvars.iv393 = phi i64 [ 0, %if.else17.i ], [ %indvars.iv.next394, %for.body.i282 ]
  %arrayidx.i284 = getelementptr [16 x double], ptr %asked.i, i64 0, i64 %indvars.iv393
  %53 = load double, ptr %arrayidx.i284, align 8
  %54 = load i64, ptr %kind.i, align 8
  %cmp.i314 = icmp eq i64 %54, 2
  %cmp1.i315 = fcmp ogt double %53, -1.000000e+00
  %cmp2.i316 = fcmp oge double %53, 0.000000e+00
  %cond.in.i = select i1 %cmp.i314, i1 %cmp1.i315, i1 %cmp2.i316
  %cmp4.i317 = fcmp olt double %53, 0x41DFFFFFFFC00000
  %or.cond.i = and i1 %cmp4.i317, %cond.in.i
  %conv7.i318 = fptosi double %53 to i32
  %cond10.i = select i1 %or.cond.i, i32 %conv7.i318, i32 -1
  %arrayidx23.i = getelementptr i32, ptr %add.ptr32.i, i64 %indvars.iv393
  store i32 %cond10.i, ptr %arrayidx23.i, align 4
  %indvars.iv.next394 = add nuw nsw i64 %indvars.iv393, 1
  %exitcond396.not = icmp eq i64 %indvars.iv.next394, 16
  br i1 %exitcond396.not, label %for.cond.cleanup.i, label %for.body.i282, !llvm.loop !7

fill_column.exit:                                 ; preds = %if.then8.i, %for.cond11.i294.preheader, %for.cond.cleanup.i
  %55 = phi <16 x i32> [ %xor.i, %if.then8.i ], [ %conv.i300, %for.cond11.i294.preheader ], [ %.pre481, %for.cond.cleanup.i ]
  %cmp26.i = fcmp uno <16 x double> %16, zeroinitializer
  %for_missing.i = getelementptr inbounds i8, ptr %arrayidx11.i, i64 40
  %56 = load i64, ptr %for_missing.i, align 8
  %conv31.i = trunc i64 %56 to i32
  %splat.splatinsert32.i = insertelement <16 x i32> poison, i32 %conv31.i, i64 0
  %splat.splat33.i = shufflevector <16 x i32> %splat.splatinsert32.i, <16 x i32> poison, <16 x i32> zeroinitializer
  %or35.i = select <16 x i1> %cmp26.i, <16 x i32> %splat.splat33.i, <16 x i32> %55
  store <16 x i32> %or35.i, ptr %add.ptr32.i, align 4
  call void @llvm.lifetime.end.p0(i64 128, ptr nonnull %last.i) #6
  %exitcond397.not = icmp eq i64 %add.i, %5
  br i1 %exitcond397.not, label %for.cond.cleanup9.i, label %for.body10.i, !llvm.loop !8

for.cond19.preheader:                             ; preds = %for.body16, %for.cond11.preheader
  %57 = load i64, ptr %trees, align 8
  %cmp20379.not = icmp eq i64 %57, 0
  br i1 %cmp20379.not, label %for.cond82.preheader, label %for.body22

for.body16:                                       ; preds = %for.cond11.preheader, %for.body16
  %at.0343 = phi i64 [ %inc, %for.body16 ], [ 0, %for.cond11.preheader ]
  %58 = load ptr, ptr %base, align 8
  %div17203 = lshr i64 %at.0343, 4
  %rem = urem i64 %div17203, %0
  %arrayidx = getelementptr double, ptr %58, i64 %rem
  %59 = load double, ptr %arrayidx, align 8
  %arrayidx18 = getelementptr double, ptr %sums, i64 %at.0343
  store double %59, ptr %arrayidx18, align 8
  %inc = add nuw i64 %at.0343, 1
  %exitcond398.not = icmp eq i64 %inc, %mul13
  br i1 %exitcond398.not, label %for.cond19.preheader, label %for.body16, !llvm.loop !9

for.cond82.preheader:                             ; preds = %for.cond.cleanup28, %for.cond19.preheader
  br i1 %cmp.i339.not, label %for.cond.cleanup84, label %for.cond87.preheader

for.body22:                                       ; preds = %for.cond19.preheader, %for.cond.cleanup28
  %60 = phi i64 [ %66, %for.cond.cleanup28 ], [ %57, %for.cond19.preheader ]
  %tree.0380 = phi i64 [ %inc80, %for.cond.cleanup28 ], [ 0, %for.cond19.preheader ]
  %61 = load ptr, ptr %groups, align 8
  %arrayidx23 = getelementptr i64, ptr %61, i64 %tree.0380
  %62 = load i64, ptr %arrayidx23, align 8
  %63 = load ptr, ptr %values24, align 8
  %64 = load ptr, ptr %firsts, align 8
  %arrayidx25 = getelementptr i64, ptr %64, i64 %tree.0380
  %65 = load i64, ptr %arrayidx25, align 8
  %add.ptr = getelementptr double, ptr %63, i64 %65
  br i1 %cmp.i339.not, label %for.cond.cleanup28, label %for.body29.lr.ph

for.body29.lr.ph:                                 ; preds = %for.body22
  %cmp60 = icmp sgt i64 %62, -1
  br label %for.body29

for.cond.cleanup28.loopexit:                      ; preds = %if.end75
  %.pre483 = load i64, ptr %trees, align 8
  br label %for.cond.cleanup28

for.cond.cleanup28:                               ; preds = %for.cond.cleanup28.loopexit, %for.body22
  %66 = phi i64 [ %.pre483, %for.cond.cleanup28.loopexit ], [ %60, %for.body22 ]
  %inc80 = add nuw i64 %tree.0380, 1
  %cmp20 = icmp ult i64 %inc80, %66
  br i1 %cmp20, label %for.body22, label %for.cond82.preheader, !llvm.loop !10

for.body29:                                       ; preds = %for.body29.lr.ph, %if.end75
  %number.0378 = phi i64 [ 0, %for.body29.lr.ph ], [ %inc77, %if.end75 ]
  %mul30 = mul i64 %number.0378, %mul
  %add.ptr31 = getelementptr i32, ptr %tiles, i64 %mul30
  %67 = load ptr, ptr %splits, align 8
  %tobool.not = icmp eq ptr %67, null
  br i1 %tobool.not, label %if.else, label %if.then

if.then:                                          ; preds = %for.body29
  %68 = load ptr, ptr %chunks, align 8
  %69 = load ptr, ptr %bounds, align 8
  %arrayidx33 = getelementptr i64, ptr %69, i64 %tree.0380
  %70 = load i64, ptr %arrayidx33, align 8
  %add.ptr34 = getelementptr i64, ptr %68, i64 %70
  %arrayidx37 = getelementptr i8, ptr %arrayidx33, i64 8
  %71 = load i64, ptr %arrayidx37, align 8
  %sub40 = sub i64 %71, %70
  %cmp.not.i349 = icmp eq i64 %sub40, 0
  br i1 %cmp.not.i349, label %if.end56, label %for.body.i205.preheader

for.body.i205.preheader:                          ; preds = %if.then
  %arrayidx.i206.phi.trans.insert = getelementptr i64, ptr %68, i64 %71
  %.pre482 = load i64, ptr %arrayidx.i206.phi.trans.insert, align 8
  br label %for.body.i205

for.body.i205:                                    ; preds = %for.body.i205.preheader, %for.cond.cleanup6.i
  %72 = phi i64 [ %73, %for.cond.cleanup6.i ], [ %.pre482, %for.body.i205.preheader ]
  %leaves.0.i351 = phi <16 x i32> [ %or29.i, %for.cond.cleanup6.i ], [ zeroinitializer, %for.body.i205.preheader ]
  %chunk.0.i350 = phi i64 [ %dec.i352, %for.cond.cleanup6.i ], [ %sub40, %for.body.i205.preheader ]
  %dec.i352 = add i64 %chunk.0.i350, -1
  %add.ptr.idx.i = mul i64 %72, 12
  %add.ptr.i207 = getelementptr i8, ptr %67, i64 %add.ptr.idx.i
  %arrayidx1.i = getelementptr i64, ptr %add.ptr34, i64 %dec.i352
  %73 = load i64, ptr %arrayidx1.i, align 8
  %add.ptr3.idx.i = mul i64 %73, 12
  %add.ptr3.i = getelementptr i8, ptr %67, i64 %add.ptr3.idx.i
  %cmp5.i344 = icmp ult ptr %add.ptr3.i, %add.ptr.i207
  br i1 %cmp5.i344, label %for.body7.i, label %for.cond.cleanup6.i

for.cond.cleanup6.i:                              ; preds = %for.body7.i, %for.body.i205
  %dead.0.i.lcssa = phi <16 x i32> [ zeroinitializer, %for.body.i205 ], [ %or.i, %for.body7.i ]
  %not.i = xor <16 x i32> %dead.0.i.lcssa, <i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1>
  %add16.i = add <16 x i32> %dead.0.i.lcssa, <i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1>
  %and17.i = and <16 x i32> %add16.i, %not.i
  %conv.i = sitofp <16 x i32> %and17.i to <16 x float>
  %74 = bitcast <16 x float> %conv.i to <16 x i32>
  %shr.i = lshr <16 x i32> %74, <i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23>
  %and18.i = and <16 x i32> %shr.i, <i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255>
  %cmp19.not.i = icmp eq <16 x i32> %and17.i, zeroinitializer
  %dec.tr.i = trunc i64 %dec.i352 to i32
  %conv24.i = shl i32 %dec.tr.i, 5
  %.scalar = add i32 %conv24.i, -127
  %75 = insertelement <16 x i32> poison, i32 %.scalar, i64 0
  %76 = shufflevector <16 x i32> %75, <16 x i32> poison, <16 x i32> zeroinitializer
  %add27.i = add <16 x i32> %and18.i, %76
  %or29.i = select <16 x i1> %cmp19.not.i, <16 x i32> %leaves.0.i351, <16 x i32> %add27.i
  %cmp.not.i = icmp eq i64 %dec.i352, 0
  br i1 %cmp.not.i, label %if.end56, label %for.body.i205, !llvm.loop !11

for.body7.i:                                      ; preds = %for.body.i205, %for.body7.i
  %split.0.i346 = phi ptr [ %add.ptr15.i, %for.body7.i ], [ %add.ptr3.i, %for.body.i205 ]
  %dead.0.i345 = phi <16 x i32> [ %or.i, %for.body7.i ], [ zeroinitializer, %for.body.i205 ]
  %77 = load i32, ptr %split.0.i346, align 4
  %idx.ext.i = sext i32 %77 to i64
  %add.ptr9.i = getelementptr i32, ptr %add.ptr31, i64 %idx.ext.i
  %78 = load <16 x i32>, ptr %add.ptr9.i, align 4
  %arrayidx10.i = getelementptr i8, ptr %split.0.i346, i64 4
  %79 = load i32, ptr %arrayidx10.i, align 4
  %splat.splatinsert.i = insertelement <16 x i32> poison, i32 %79, i64 0
  %splat.splat.i = shufflevector <16 x i32> %splat.splatinsert.i, <16 x i32> poison, <16 x i32> zeroinitializer
  %cmp11.i = icmp sgt <16 x i32> %78, %splat.splat.i
  %arrayidx12.i208 = getelementptr i8, ptr %split.0.i346, i64 8
  %80 = load i32, ptr %arrayidx12.i208, align 4
  %splat.splatinsert13.i = insertelement <16 x i32> poison, i32 %80, i64 0
  %splat.splat14.i = shufflevector <16 x i32> %splat.splatinsert13.i, <16 x i32> poison, <16 x i32> zeroinitializer
  %and.i = select <16 x i1> %cmp11.i, <16 x i32> %splat.splat14.i, <16 x i32> zeroinitializer
  %or.i = or <16 x i32> %and.i, %dead.0.i345
  %add.ptr15.i = getelementptr i8, ptr %split.0.i346, i64 12
  %cmp5.i = icmp ult ptr %add.ptr15.i, %add.ptr.i207
  br i1 %cmp5.i, label %for.body7.i, label %for.cond.cleanup6.i, !llvm.loop !12

if.else:                                          ; preds = %for.body29
  %81 = load ptr, ptr %sets, align 8
  %tobool41.not = icmp eq ptr %81, null
  %82 = load ptr, ptr %nodes, align 8
  %83 = load ptr, ptr %roots, align 8
  %arrayidx50 = getelementptr i64, ptr %83, i64 %tree.0380
  %84 = load i64, ptr %arrayidx50, align 8
  %add.ptr51 = getelementptr i64, ptr %82, i64 %84
  br i1 %tobool41.not, label %if.else47, label %if.then42

if.then42:                                        ; preds = %if.else
  %85 = load i64, ptr %shift, align 8
  %86 = load i64, ptr %mask, align 8
  %87 = load i64, ptr %first_set, align 8
  call void @llvm.lifetime.start.p0(i64 64, ptr nonnull %leaves.i) #6
  %node.0.i354 = load i64, ptr %add.ptr51, align 8
  %shr.i212355 = lshr i64 %node.0.i354, 32
  %and.i213356 = and i64 %shr.i212355, %86
  %tobool.not.i357 = icmp eq i64 %and.i213356, 0
  br label %while.cond.i.preheader

while.cond.i.preheader:                           ; preds = %if.then42, %while.end.i
  %indvars.iv399 = phi i64 [ 0, %if.then42 ], [ %indvars.iv.next400, %while.end.i ]
  br i1 %tobool.not.i357, label %while.end.i, label %while.body.i.lr.ph

while.body.i.lr.ph:                               ; preds = %while.cond.i.preheader
  %invariant.gep = getelementptr i32, ptr %add.ptr31, i64 %indvars.iv399
  br label %while.body.i

while.body.i:                                     ; preds = %while.body.i.lr.ph, %cond.end.i
  %and.i213359 = phi i64 [ %and.i213356, %while.body.i.lr.ph ], [ %and.i213, %cond.end.i ]
  %node.0.i358 = phi i64 [ %node.0.i354, %while.body.i.lr.ph ], [ %node.0.i, %cond.end.i ]
  %.idx = shl nuw nsw i64 %and.i213359, 6
  %gep515 = getelementptr i8, ptr %invariant.gep, i64 %.idx
  %88 = load i32, ptr %gep515, align 4
  %cmp2.i = icmp ult i64 %and.i213359, %87
  br i1 %cmp2.i, label %cond.true.i, label %cond.false.i

cond.true.i:                                      ; preds = %while.body.i
  %conv4.i = trunc i64 %node.0.i358 to i32
  %cmp5.i221 = icmp sgt i32 %88, %conv4.i
  %conv7.i = zext i1 %cmp5.i221 to i64
  br label %cond.end.i

cond.false.i:                                     ; preds = %while.body.i
  %idx.ext.i217 = and i64 %node.0.i358, 4294967295
  %add.ptr.i218 = getelementptr i32, ptr %81, i64 %idx.ext.i217
  %cmp.i319 = icmp eq i32 %88, 2147483647
  br i1 %cmp.i319, label %cond.end.i, label %if.end.i320

if.end.i320:                                      ; preds = %cond.false.i
  %div8.i = lshr i32 %88, 5
  %89 = load i32, ptr %add.ptr.i218, align 4
  %cmp1.not.i = icmp ult i32 %div8.i, %89
  br i1 %cmp1.not.i, label %lor.rhs.i, label %cond.end.i

lor.rhs.i:                                        ; preds = %if.end.i320
  %90 = zext nneg i32 %div8.i to i64
  %91 = getelementptr i32, ptr %add.ptr.i218, i64 %90
  %arrayidx2.i = getelementptr i8, ptr %91, i64 4
  %92 = load i32, ptr %arrayidx2.i, align 4
  %and.i321 = and i32 %88, 31
  %93 = xor i32 %92, -1
  %94 = lshr i32 %93, %and.i321
  %95 = and i32 %94, 1
  %96 = zext nneg i32 %95 to i64
  br label %cond.end.i

cond.end.i:                                       ; preds = %lor.rhs.i, %if.end.i320, %cond.false.i, %cond.true.i
  %cond.i219 = phi i64 [ %conv7.i, %cond.true.i ], [ 0, %cond.false.i ], [ 1, %if.end.i320 ], [ %96, %lor.rhs.i ]
  %shr9.i = lshr i64 %node.0.i358, %85
  %97 = getelementptr i64, ptr %add.ptr51, i64 %shr9.i
  %arrayidx11.i220 = getelementptr i64, ptr %97, i64 %cond.i219
  %node.0.i = load i64, ptr %arrayidx11.i220, align 8
  %shr.i212 = lshr i64 %node.0.i, 32
  %and.i213 = and i64 %shr.i212, %86
  %tobool.not.i = icmp eq i64 %and.i213, 0
  br i1 %tobool.not.i, label %while.end.i, label %while.body.i, !llvm.loop !13

while.end.i:                                      ; preds = %cond.end.i, %while.cond.i.preheader
  %node.0.i.lcssa = phi i64 [ %node.0.i354, %while.cond.i.preheader ], [ %node.0.i, %cond.end.i ]
  %conv12.i = trunc i64 %node.0.i.lcssa to i32
  %arrayidx13.i = getelementptr [16 x i32], ptr %leaves.i, i64 0, i64 %indvars.iv399
  store i32 %conv12.i, ptr %arrayidx13.i, align 4
  %indvars.iv.next400 = add nuw nsw i64 %indvars.iv399, 1
  %exitcond402.not = icmp eq i64 %indvars.iv.next400, 16
  br i1 %exitcond402.not, label %leaves_by_sets.exit, label %while.cond.i.preheader, !llvm.loop !14

leaves_by_sets.exit:                              ; preds = %while.end.i
  %98 = load <16 x i32>, ptr %leaves.i, align 16
  call void @llvm.lifetime.end.p0(i64 64, ptr nonnull %leaves.i) #6
  br label %if.end56

if.else47:                                        ; preds = %if.else
  %99 = load ptr, ptr %steps, align 8
  %arrayidx52 = getelementptr i64, ptr %99, i64 %tree.0380
  %100 = load i64, ptr %arrayidx52, align 8
  %101 = load i64, ptr %shift, align 8
  %102 = load i64, ptr %mask, align 8
  %103 = load i64, ptr %add.ptr51, align 8
  %cmp3.i367.not = icmp eq i64 %100, 0
  br i1 %cmp3.i367.not, label %cleanup52.i, label %for.cond6.i.preheader.preheader

for.cond6.i.preheader.preheader:                  ; preds = %if.else47
  %invariant.gep516 = getelementptr i8, ptr %add.ptr31, i64 4
  %invariant.gep518 = getelementptr i8, ptr %add.ptr31, i64 8
  %invariant.gep520 = getelementptr i8, ptr %add.ptr31, i64 12
  %invariant.gep522 = getelementptr i8, ptr %add.ptr31, i64 16
  %invariant.gep524 = getelementptr i8, ptr %add.ptr31, i64 20
  %invariant.gep526 = getelementptr i8, ptr %add.ptr31, i64 24
  %invariant.gep528 = getelementptr i8, ptr %add.ptr31, i64 28
  %invariant.gep530 = getelementptr i8, ptr %add.ptr31, i64 32
  %invariant.gep532 = getelementptr i8, ptr %add.ptr31, i64 36
  %invariant.gep534 = getelementptr i8, ptr %add.ptr31, i64 40
  %invariant.gep536 = getelementptr i8, ptr %add.ptr31, i64 44
  %invariant.gep538 = getelementptr i8, ptr %add.ptr31, i64 48
  %invariant.gep540 = getelementptr i8, ptr %add.ptr31, i64 52
  %invariant.gep542 = getelementptr i8, ptr %add.ptr31, i64 56
  %invariant.gep544 = getelementptr i8, ptr %add.ptr31, i64 60
  %invariant.gep546 = getelementptr i8, ptr %add.ptr31, i64 4
  %invariant.gep548 = getelementptr i8, ptr %add.ptr31, i64 8
  %invariant.gep550 = getelementptr i8, ptr %add.ptr31, i64 12
  %invariant.gep552 = getelementptr i8, ptr %add.ptr31, i64 16
  %invariant.gep554 = getelementptr i8, ptr %add.ptr31, i64 20
  %invariant.gep556 = getelementptr i8, ptr %add.ptr31, i64 24
  %invariant.gep558 = getelementptr i8, ptr %add.ptr31, i64 28
  %invariant.gep560 = getelementptr i8, ptr %add.ptr31, i64 32
  %invariant.gep562 = getelementptr i8, ptr %add.ptr31, i64 36
  %invariant.gep564 = getelementptr i8, ptr %add.ptr31, i64 40
  %invariant.gep566 = getelementptr i8, ptr %add.ptr31, i64 44
  %invariant.gep568 = getelementptr i8, ptr %add.ptr31, i64 48
  %invariant.gep570 = getelementptr i8, ptr %add.ptr31, i64 52
  %invariant.gep572 = getelementptr i8, ptr %add.ptr31, i64 56
  %invariant.gep574 = getelementptr i8, ptr %add.ptr31, i64 60
  br label %for.cond6.i.preheader

for.cond6.i.preheader:                            ; preds = %for.cond6.i.preheader.preheader, %for.cond6.i.preheader
  %node.i.sroa.107.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %201, %for.cond6.i.preheader ]
  %node.i.sroa.100.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %198, %for.cond6.i.preheader ]
  %node.i.sroa.93.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %195, %for.cond6.i.preheader ]
  %node.i.sroa.86.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %192, %for.cond6.i.preheader ]
  %node.i.sroa.79.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %189, %for.cond6.i.preheader ]
  %node.i.sroa.72.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %186, %for.cond6.i.preheader ]
  %node.i.sroa.65.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %183, %for.cond6.i.preheader ]
  %node.i.sroa.58.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %180, %for.cond6.i.preheader ]
  %node.i.sroa.51.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %177, %for.cond6.i.preheader ]
  %node.i.sroa.44.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %174, %for.cond6.i.preheader ]
  %node.i.sroa.37.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %171, %for.cond6.i.preheader ]
  %node.i.sroa.30.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %168, %for.cond6.i.preheader ]
  %node.i.sroa.23.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %165, %for.cond6.i.preheader ]
  %node.i.sroa.16.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %162, %for.cond6.i.preheader ]
  %node.i.sroa.9.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %159, %for.cond6.i.preheader ]
  %node.i.sroa.0.0 = phi i64 [ %103, %for.cond6.i.preheader.preheader ], [ %156, %for.cond6.i.preheader ]
  %step.0.i368 = phi i64 [ 0, %for.cond6.i.preheader.preheader ], [ %add51.i, %for.cond6.i.preheader ]
  %shr.i229 = lshr i64 %node.i.sroa.0.0, 32
  %and.i230 = and i64 %shr.i229, %102
  %.idx387 = shl nuw nsw i64 %and.i230, 6
  %104 = getelementptr i8, ptr %add.ptr31, i64 %.idx387
  %105 = load i32, ptr %104, align 4
  %conv20.i = trunc i64 %node.i.sroa.0.0 to i32
  %cmp21.i = icmp sgt i32 %105, %conv20.i
  %conv23.i = zext i1 %cmp21.i to i64
  %shr26.i = lshr i64 %node.i.sroa.0.0, %101
  %106 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i
  %arrayidx28.i = getelementptr i64, ptr %106, i64 %conv23.i
  %107 = load i64, ptr %arrayidx28.i, align 8
  %shr.i229.1 = lshr i64 %node.i.sroa.9.0, 32
  %and.i230.1 = and i64 %shr.i229.1, %102
  %.idx387.1 = shl nuw nsw i64 %and.i230.1, 6
  %gep517 = getelementptr i8, ptr %invariant.gep516, i64 %.idx387.1
  %108 = load i32, ptr %gep517, align 4
  %conv20.i.1 = trunc i64 %node.i.sroa.9.0 to i32
  %cmp21.i.1 = icmp sgt i32 %108, %conv20.i.1
  %conv23.i.1 = zext i1 %cmp21.i.1 to i64
  %shr26.i.1 = lshr i64 %node.i.sroa.9.0, %101
  %109 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.1
  %arrayidx28.i.1 = getelementptr i64, ptr %109, i64 %conv23.i.1
  %110 = load i64, ptr %arrayidx28.i.1, align 8
  %shr.i229.2 = lshr i64 %node.i.sroa.16.0, 32
  %and.i230.2 = and i64 %shr.i229.2, %102
  %.idx387.2 = shl nuw nsw i64 %and.i230.2, 6
  %gep519 = getelementptr i8, ptr %invariant.gep518, i64 %.idx387.2
  %111 = load i32, ptr %gep519, align 4
  %conv20.i.2 = trunc i64 %node.i.sroa.16.0 to i32
  %cmp21.i.2 = icmp sgt i32 %111, %conv20.i.2
  %conv23.i.2 = zext i1 %cmp21.i.2 to i64
  %shr26.i.2 = lshr i64 %node.i.sroa.16.0, %101
  %112 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.2
  %arrayidx28.i.2 = getelementptr i64, ptr %112, i64 %conv23.i.2
  %113 = load i64, ptr %arrayidx28.i.2, align 8
  %shr.i229.3 = lshr i64 %node.i.sroa.23.0, 32
  %and.i230.3 = and i64 %shr.i229.3, %102
  %.idx387.3 = shl nuw nsw i64 %and.i230.3, 6
  %gep521 = getelementptr i8, ptr %invariant.gep520, i64 %.idx387.3
  %114 = load i32, ptr %gep521, align 4
  %conv20.i.3 = trunc i64 %node.i.sroa.23.0 to i32
  %cmp21.i.3 = icmp sgt i32 %114, %conv20.i.3
  %conv23.i.3 = zext i1 %cmp21.i.3 to i64
  %shr26.i.3 = lshr i64 %node.i.sroa.23.0, %101
  %115 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.3
  %arrayidx28.i.3 = getelementptr i64, ptr %115, i64 %conv23.i.3
  %116 = load i64, ptr %arrayidx28.i.3, align 8
  %shr.i229.4 = lshr i64 %node.i.sroa.30.0, 32
  %and.i230.4 = and i64 %shr.i229.4, %102
  %.idx387.4 = shl nuw nsw i64 %and.i230.4, 6
  %gep523 = getelementptr i8, ptr %invariant.gep522, i64 %.idx387.4
  %117 = load i32, ptr %gep523, align 4
  %conv20.i.4 = trunc i64 %node.i.sroa.30.0 to i32
  %cmp21.i.4 = icmp sgt i32 %117, %conv20.i.4
  %conv23.i.4 = zext i1 %cmp21.i.4 to i64
  %shr26.i.4 = lshr i64 %node.i.sroa.30.0, %101
  %118 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.4
  %arrayidx28.i.4 = getelementptr i64, ptr %118, i64 %conv23.i.4
  %119 = load i64, ptr %arrayidx28.i.4, align 8
  %shr.i229.5 = lshr i64 %node.i.sroa.37.0, 32
  %and.i230.5 = and i64 %shr.i229.5, %102
  %.idx387.5 = shl nuw nsw i64 %and.i230.5, 6
  %gep525 = getelementptr i8, ptr %invariant.gep524, i64 %.idx387.5
  %120 = load i32, ptr %gep525, align 4
  %conv20.i.5 = trunc i64 %node.i.sroa.37.0 to i32
  %cmp21.i.5 = icmp sgt i32 %120, %conv20.i.5
  %conv23.i.5 = zext i1 %cmp21.i.5 to i64
  %shr26.i.5 = lshr i64 %node.i.sroa.37.0, %101
  %121 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.5
  %arrayidx28.i.5 = getelementptr i64, ptr %121, i64 %conv23.i.5
  %122 = load i64, ptr %arrayidx28.i.5, align 8
  %shr.i229.6 = lshr i64 %node.i.sroa.44.0, 32
  %and.i230.6 = and i64 %shr.i229.6, %102
  %.idx387.6 = shl nuw nsw i64 %and.i230.6, 6
  %gep527 = getelementptr i8, ptr %invariant.gep526, i64 %.idx387.6
  %123 = load i32, ptr %gep527, align 4
  %conv20.i.6 = trunc i64 %node.i.sroa.44.0 to i32
  %cmp21.i.6 = icmp sgt i32 %123, %conv20.i.6
  %conv23.i.6 = zext i1 %cmp21.i.6 to i64
  %shr26.i.6 = lshr i64 %node.i.sroa.44.0, %101
  %124 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.6
  %arrayidx28.i.6 = getelementptr i64, ptr %124, i64 %conv23.i.6
  %125 = load i64, ptr %arrayidx28.i.6, align 8
  %shr.i229.7 = lshr i64 %node.i.sroa.51.0, 32
  %and.i230.7 = and i64 %shr.i229.7, %102
  %.idx387.7 = shl nuw nsw i64 %and.i230.7, 6
  %gep529 = getelementptr i8, ptr %invariant.gep528, i64 %.idx387.7
  %126 = load i32, ptr %gep529, align 4
  %conv20.i.7 = trunc i64 %node.i.sroa.51.0 to i32
  %cmp21.i.7 = icmp sgt i32 %126, %conv20.i.7
  %conv23.i.7 = zext i1 %cmp21.i.7 to i64
  %shr26.i.7 = lshr i64 %node.i.sroa.51.0, %101
  %127 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.7
  %arrayidx28.i.7 = getelementptr i64, ptr %127, i64 %conv23.i.7
  %128 = load i64, ptr %arrayidx28.i.7, align 8
  %shr.i229.8 = lshr i64 %node.i.sroa.58.0, 32
  %and.i230.8 = and i64 %shr.i229.8, %102
  %.idx387.8 = shl nuw nsw i64 %and.i230.8, 6
  %gep531 = getelementptr i8, ptr %invariant.gep530, i64 %.idx387.8
  %129 = load i32, ptr %gep531, align 4
  %conv20.i.8 = trunc i64 %node.i.sroa.58.0 to i32
  %cmp21.i.8 = icmp sgt i32 %129, %conv20.i.8
  %conv23.i.8 = zext i1 %cmp21.i.8 to i64
  %shr26.i.8 = lshr i64 %node.i.sroa.58.0, %101
  %130 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.8
  %arrayidx28.i.8 = getelementptr i64, ptr %130, i64 %conv23.i.8
  %131 = load i64, ptr %arrayidx28.i.8, align 8
  %shr.i229.9 = lshr i64 %node.i.sroa.65.0, 32
  %and.i230.9 = and i64 %shr.i229.9, %102
  %.idx387.9 = shl nuw nsw i64 %and.i230.9, 6
  %gep533 = getelementptr i8, ptr %invariant.gep532, i64 %.idx387.9
  %132 = load i32, ptr %gep533, align 4
  %conv20.i.9 = trunc i64 %node.i.sroa.65.0 to i32
  %cmp21.i.9 = icmp sgt i32 %132, %conv20.i.9
  %conv23.i.9 = zext i1 %cmp21.i.9 to i64
  %shr26.i.9 = lshr i64 %node.i.sroa.65.0, %101
  %133 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.9
  %arrayidx28.i.9 = getelementptr i64, ptr %133, i64 %conv23.i.9
  %134 = load i64, ptr %arrayidx28.i.9, align 8
  %shr.i229.10 = lshr i64 %node.i.sroa.72.0, 32
  %and.i230.10 = and i64 %shr.i229.10, %102
  %.idx387.10 = shl nuw nsw i64 %and.i230.10, 6
  %gep535 = getelementptr i8, ptr %invariant.gep534, i64 %.idx387.10
  %135 = load i32, ptr %gep535, align 4
  %conv20.i.10 = trunc i64 %node.i.sroa.72.0 to i32
  %cmp21.i.10 = icmp sgt i32 %135, %conv20.i.10
  %conv23.i.10 = zext i1 %cmp21.i.10 to i64
  %shr26.i.10 = lshr i64 %node.i.sroa.72.0, %101
  %136 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.10
  %arrayidx28.i.10 = getelementptr i64, ptr %136, i64 %conv23.i.10
  %137 = load i64, ptr %arrayidx28.i.10, align 8
  %shr.i229.11 = lshr i64 %node.i.sroa.79.0, 32
  %and.i230.11 = and i64 %shr.i229.11, %102
  %.idx387.11 = shl nuw nsw i64 %and.i230.11, 6
  %gep537 = getelementptr i8, ptr %invariant.gep536, i64 %.idx387.11
  %138 = load i32, ptr %gep537, align 4
  %conv20.i.11 = trunc i64 %node.i.sroa.79.0 to i32
  %cmp21.i.11 = icmp sgt i32 %138, %conv20.i.11
  %conv23.i.11 = zext i1 %cmp21.i.11 to i64
  %shr26.i.11 = lshr i64 %node.i.sroa.79.0, %101
  %139 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.11
  %arrayidx28.i.11 = getelementptr i64, ptr %139, i64 %conv23.i.11
  %140 = load i64, ptr %arrayidx28.i.11, align 8
  %shr.i229.12 = lshr i64 %node.i.sroa.86.0, 32
  %and.i230.12 = and i64 %shr.i229.12, %102
  %.idx387.12 = shl nuw nsw i64 %and.i230.12, 6
  %gep539 = getelementptr i8, ptr %invariant.gep538, i64 %.idx387.12
  %141 = load i32, ptr %gep539, align 4
  %conv20.i.12 = trunc i64 %node.i.sroa.86.0 to i32
  %cmp21.i.12 = icmp sgt i32 %141, %conv20.i.12
  %conv23.i.12 = zext i1 %cmp21.i.12 to i64
  %shr26.i.12 = lshr i64 %node.i.sroa.86.0, %101
  %142 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.12
  %arrayidx28.i.12 = getelementptr i64, ptr %142, i64 %conv23.i.12
  %143 = load i64, ptr %arrayidx28.i.12, align 8
  %shr.i229.13 = lshr i64 %node.i.sroa.93.0, 32
  %and.i230.13 = and i64 %shr.i229.13, %102
  %.idx387.13 = shl nuw nsw i64 %and.i230.13, 6
  %gep541 = getelementptr i8, ptr %invariant.gep540, i64 %.idx387.13
  %144 = load i32, ptr %gep541, align 4
  %conv20.i.13 = trunc i64 %node.i.sroa.93.0 to i32
  %cmp21.i.13 = icmp sgt i32 %144, %conv20.i.13
  %conv23.i.13 = zext i1 %cmp21.i.13 to i64
  %shr26.i.13 = lshr i64 %node.i.sroa.93.0, %101
  %145 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.13
  %arrayidx28.i.13 = getelementptr i64, ptr %145, i64 %conv23.i.13
  %146 = load i64, ptr %arrayidx28.i.13, align 8
  %shr.i229.14 = lshr i64 %node.i.sroa.100.0, 32
  %and.i230.14 = and i64 %shr.i229.14, %102
  %.idx387.14 = shl nuw nsw i64 %and.i230.14, 6
  %gep543 = getelementptr i8, ptr %invariant.gep542, i64 %.idx387.14
  %147 = load i32, ptr %gep543, align 4
  %conv20.i.14 = trunc i64 %node.i.sroa.100.0 to i32
  %cmp21.i.14 = icmp sgt i32 %147, %conv20.i.14
  %conv23.i.14 = zext i1 %cmp21.i.14 to i64
  %shr26.i.14 = lshr i64 %node.i.sroa.100.0, %101
  %148 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.14
  %arrayidx28.i.14 = getelementptr i64, ptr %148, i64 %conv23.i.14
  %149 = load i64, ptr %arrayidx28.i.14, align 8
  %shr.i229.15 = lshr i64 %node.i.sroa.107.0, 32
  %and.i230.15 = and i64 %shr.i229.15, %102
  %.idx387.15 = shl nuw nsw i64 %and.i230.15, 6
  %gep545 = getelementptr i8, ptr %invariant.gep544, i64 %.idx387.15
  %150 = load i32, ptr %gep545, align 4
  %conv20.i.15 = trunc i64 %node.i.sroa.107.0 to i32
  %cmp21.i.15 = icmp sgt i32 %150, %conv20.i.15
  %conv23.i.15 = zext i1 %cmp21.i.15 to i64
  %shr26.i.15 = lshr i64 %node.i.sroa.107.0, %101
  %151 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.15
  %arrayidx28.i.15 = getelementptr i64, ptr %151, i64 %conv23.i.15
  %152 = load i64, ptr %arrayidx28.i.15, align 8
  %shr.i229.1411 = lshr i64 %107, 32
  %and.i230.1412 = and i64 %shr.i229.1411, %102
  %.idx387.1413 = shl nuw nsw i64 %and.i230.1412, 6
  %153 = getelementptr i8, ptr %add.ptr31, i64 %.idx387.1413
  %154 = load i32, ptr %153, align 4
  %conv20.i.1414 = trunc i64 %107 to i32
  %cmp21.i.1415 = icmp sgt i32 %154, %conv20.i.1414
  %conv23.i.1416 = zext i1 %cmp21.i.1415 to i64
  %shr26.i.1417 = lshr i64 %107, %101
  %155 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.1417
  %arrayidx28.i.1418 = getelementptr i64, ptr %155, i64 %conv23.i.1416
  %156 = load i64, ptr %arrayidx28.i.1418, align 8
  %shr.i229.1.1 = lshr i64 %110, 32
  %and.i230.1.1 = and i64 %shr.i229.1.1, %102
  %.idx387.1.1 = shl nuw nsw i64 %and.i230.1.1, 6
  %gep547 = getelementptr i8, ptr %invariant.gep546, i64 %.idx387.1.1
  %157 = load i32, ptr %gep547, align 4
  %conv20.i.1.1 = trunc i64 %110 to i32
  %cmp21.i.1.1 = icmp sgt i32 %157, %conv20.i.1.1
  %conv23.i.1.1 = zext i1 %cmp21.i.1.1 to i64
  %shr26.i.1.1 = lshr i64 %110, %101
  %158 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.1.1
  %arrayidx28.i.1.1 = getelementptr i64, ptr %158, i64 %conv23.i.1.1
  %159 = load i64, ptr %arrayidx28.i.1.1, align 8
  %shr.i229.2.1 = lshr i64 %113, 32
  %and.i230.2.1 = and i64 %shr.i229.2.1, %102
  %.idx387.2.1 = shl nuw nsw i64 %and.i230.2.1, 6
  %gep549 = getelementptr i8, ptr %invariant.gep548, i64 %.idx387.2.1
  %160 = load i32, ptr %gep549, align 4
  %conv20.i.2.1 = trunc i64 %113 to i32
  %cmp21.i.2.1 = icmp sgt i32 %160, %conv20.i.2.1
  %conv23.i.2.1 = zext i1 %cmp21.i.2.1 to i64
  %shr26.i.2.1 = lshr i64 %113, %101
  %161 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.2.1
  %arrayidx28.i.2.1 = getelementptr i64, ptr %161, i64 %conv23.i.2.1
  %162 = load i64, ptr %arrayidx28.i.2.1, align 8
  %shr.i229.3.1 = lshr i64 %116, 32
  %and.i230.3.1 = and i64 %shr.i229.3.1, %102
  %.idx387.3.1 = shl nuw nsw i64 %and.i230.3.1, 6
  %gep551 = getelementptr i8, ptr %invariant.gep550, i64 %.idx387.3.1
  %163 = load i32, ptr %gep551, align 4
  %conv20.i.3.1 = trunc i64 %116 to i32
  %cmp21.i.3.1 = icmp sgt i32 %163, %conv20.i.3.1
  %conv23.i.3.1 = zext i1 %cmp21.i.3.1 to i64
  %shr26.i.3.1 = lshr i64 %116, %101
  %164 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.3.1
  %arrayidx28.i.3.1 = getelementptr i64, ptr %164, i64 %conv23.i.3.1
  %165 = load i64, ptr %arrayidx28.i.3.1, align 8
  %shr.i229.4.1 = lshr i64 %119, 32
  %and.i230.4.1 = and i64 %shr.i229.4.1, %102
  %.idx387.4.1 = shl nuw nsw i64 %and.i230.4.1, 6
  %gep553 = getelementptr i8, ptr %invariant.gep552, i64 %.idx387.4.1
  %166 = load i32, ptr %gep553, align 4
  %conv20.i.4.1 = trunc i64 %119 to i32
  %cmp21.i.4.1 = icmp sgt i32 %166, %conv20.i.4.1
  %conv23.i.4.1 = zext i1 %cmp21.i.4.1 to i64
  %shr26.i.4.1 = lshr i64 %119, %101
  %167 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.4.1
  %arrayidx28.i.4.1 = getelementptr i64, ptr %167, i64 %conv23.i.4.1
  %168 = load i64, ptr %arrayidx28.i.4.1, align 8
  %shr.i229.5.1 = lshr i64 %122, 32
  %and.i230.5.1 = and i64 %shr.i229.5.1, %102
  %.idx387.5.1 = shl nuw nsw i64 %and.i230.5.1, 6
  %gep555 = getelementptr i8, ptr %invariant.gep554, i64 %.idx387.5.1
  %169 = load i32, ptr %gep555, align 4
  %conv20.i.5.1 = trunc i64 %122 to i32
  %cmp21.i.5.1 = icmp sgt i32 %169, %conv20.i.5.1
  %conv23.i.5.1 = zext i1 %cmp21.i.5.1 to i64
  %shr26.i.5.1 = lshr i64 %122, %101
  %170 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.5.1
  %arrayidx28.i.5.1 = getelementptr i64, ptr %170, i64 %conv23.i.5.1
  %171 = load i64, ptr %arrayidx28.i.5.1, align 8
  %shr.i229.6.1 = lshr i64 %125, 32
  %and.i230.6.1 = and i64 %shr.i229.6.1, %102
  %.idx387.6.1 = shl nuw nsw i64 %and.i230.6.1, 6
  %gep557 = getelementptr i8, ptr %invariant.gep556, i64 %.idx387.6.1
  %172 = load i32, ptr %gep557, align 4
  %conv20.i.6.1 = trunc i64 %125 to i32
  %cmp21.i.6.1 = icmp sgt i32 %172, %conv20.i.6.1
  %conv23.i.6.1 = zext i1 %cmp21.i.6.1 to i64
  %shr26.i.6.1 = lshr i64 %125, %101
  %173 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.6.1
  %arrayidx28.i.6.1 = getelementptr i64, ptr %173, i64 %conv23.i.6.1
  %174 = load i64, ptr %arrayidx28.i.6.1, align 8
  %shr.i229.7.1 = lshr i64 %128, 32
  %and.i230.7.1 = and i64 %shr.i229.7.1, %102
  %.idx387.7.1 = shl nuw nsw i64 %and.i230.7.1, 6
  %gep559 = getelementptr i8, ptr %invariant.gep558, i64 %.idx387.7.1
  %175 = load i32, ptr %gep559, align 4
  %conv20.i.7.1 = trunc i64 %128 to i32
  %cmp21.i.7.1 = icmp sgt i32 %175, %conv20.i.7.1
  %conv23.i.7.1 = zext i1 %cmp21.i.7.1 to i64
  %shr26.i.7.1 = lshr i64 %128, %101
  %176 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.7.1
  %arrayidx28.i.7.1 = getelementptr i64, ptr %176, i64 %conv23.i.7.1
  %177 = load i64, ptr %arrayidx28.i.7.1, align 8
  %shr.i229.8.1 = lshr i64 %131, 32
  %and.i230.8.1 = and i64 %shr.i229.8.1, %102
  %.idx387.8.1 = shl nuw nsw i64 %and.i230.8.1, 6
  %gep561 = getelementptr i8, ptr %invariant.gep560, i64 %.idx387.8.1
  %178 = load i32, ptr %gep561, align 4
  %conv20.i.8.1 = trunc i64 %131 to i32
  %cmp21.i.8.1 = icmp sgt i32 %178, %conv20.i.8.1
  %conv23.i.8.1 = zext i1 %cmp21.i.8.1 to i64
  %shr26.i.8.1 = lshr i64 %131, %101
  %179 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.8.1
  %arrayidx28.i.8.1 = getelementptr i64, ptr %179, i64 %conv23.i.8.1
  %180 = load i64, ptr %arrayidx28.i.8.1, align 8
  %shr.i229.9.1 = lshr i64 %134, 32
  %and.i230.9.1 = and i64 %shr.i229.9.1, %102
  %.idx387.9.1 = shl nuw nsw i64 %and.i230.9.1, 6
  %gep563 = getelementptr i8, ptr %invariant.gep562, i64 %.idx387.9.1
  %181 = load i32, ptr %gep563, align 4
  %conv20.i.9.1 = trunc i64 %134 to i32
  %cmp21.i.9.1 = icmp sgt i32 %181, %conv20.i.9.1
  %conv23.i.9.1 = zext i1 %cmp21.i.9.1 to i64
  %shr26.i.9.1 = lshr i64 %134, %101
  %182 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.9.1
  %arrayidx28.i.9.1 = getelementptr i64, ptr %182, i64 %conv23.i.9.1
  %183 = load i64, ptr %arrayidx28.i.9.1, align 8
  %shr.i229.10.1 = lshr i64 %137, 32
  %and.i230.10.1 = and i64 %shr.i229.10.1, %102
  %.idx387.10.1 = shl nuw nsw i64 %and.i230.10.1, 6
  %gep565 = getelementptr i8, ptr %invariant.gep564, i64 %.idx387.10.1
  %184 = load i32, ptr %gep565, align 4
  %conv20.i.10.1 = trunc i64 %137 to i32
  %cmp21.i.10.1 = icmp sgt i32 %184, %conv20.i.10.1
  %conv23.i.10.1 = zext i1 %cmp21.i.10.1 to i64
  %shr26.i.10.1 = lshr i64 %137, %101
  %185 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.10.1
  %arrayidx28.i.10.1 = getelementptr i64, ptr %185, i64 %conv23.i.10.1
  %186 = load i64, ptr %arrayidx28.i.10.1, align 8
  %shr.i229.11.1 = lshr i64 %140, 32
  %and.i230.11.1 = and i64 %shr.i229.11.1, %102
  %.idx387.11.1 = shl nuw nsw i64 %and.i230.11.1, 6
  %gep567 = getelementptr i8, ptr %invariant.gep566, i64 %.idx387.11.1
  %187 = load i32, ptr %gep567, align 4
  %conv20.i.11.1 = trunc i64 %140 to i32
  %cmp21.i.11.1 = icmp sgt i32 %187, %conv20.i.11.1
  %conv23.i.11.1 = zext i1 %cmp21.i.11.1 to i64
  %shr26.i.11.1 = lshr i64 %140, %101
  %188 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.11.1
  %arrayidx28.i.11.1 = getelementptr i64, ptr %188, i64 %conv23.i.11.1
  %189 = load i64, ptr %arrayidx28.i.11.1, align 8
  %shr.i229.12.1 = lshr i64 %143, 32
  %and.i230.12.1 = and i64 %shr.i229.12.1, %102
  %.idx387.12.1 = shl nuw nsw i64 %and.i230.12.1, 6
  %gep569 = getelementptr i8, ptr %invariant.gep568, i64 %.idx387.12.1
  %190 = load i32, ptr %gep569, align 4
  %conv20.i.12.1 = trunc i64 %143 to i32
  %cmp21.i.12.1 = icmp sgt i32 %190, %conv20.i.12.1
  %conv23.i.12.1 = zext i1 %cmp21.i.12.1 to i64
  %shr26.i.12.1 = lshr i64 %143, %101
  %191 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.12.1
  %arrayidx28.i.12.1 = getelementptr i64, ptr %191, i64 %conv23.i.12.1
  %192 = load i64, ptr %arrayidx28.i.12.1, align 8
  %shr.i229.13.1 = lshr i64 %146, 32
  %and.i230.13.1 = and i64 %shr.i229.13.1, %102
  %.idx387.13.1 = shl nuw nsw i64 %and.i230.13.1, 6
  %gep571 = getelementptr i8, ptr %invariant.gep570, i64 %.idx387.13.1
  %193 = load i32, ptr %gep571, align 4
  %conv20.i.13.1 = trunc i64 %146 to i32
  %cmp21.i.13.1 = icmp sgt i32 %193, %conv20.i.13.1
  %conv23.i.13.1 = zext i1 %cmp21.i.13.1 to i64
  %shr26.i.13.1 = lshr i64 %146, %101
  %194 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.13.1
  %arrayidx28.i.13.1 = getelementptr i64, ptr %194, i64 %conv23.i.13.1
  %195 = load i64, ptr %arrayidx28.i.13.1, align 8
  %shr.i229.14.1 = lshr i64 %149, 32
  %and.i230.14.1 = and i64 %shr.i229.14.1, %102
  %.idx387.14.1 = shl nuw nsw i64 %and.i230.14.1, 6
  %gep573 = getelementptr i8, ptr %invariant.gep572, i64 %.idx387.14.1
  %196 = load i32, ptr %gep573, align 4
  %conv20.i.14.1 = trunc i64 %149 to i32
  %cmp21.i.14.1 = icmp sgt i32 %196, %conv20.i.14.1
  %conv23.i.14.1 = zext i1 %cmp21.i.14.1 to i64
  %shr26.i.14.1 = lshr i64 %149, %101
  %197 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.14.1
  %arrayidx28.i.14.1 = getelementptr i64, ptr %197, i64 %conv23.i.14.1
  %198 = load i64, ptr %arrayidx28.i.14.1, align 8
  %shr.i229.15.1 = lshr i64 %152, 32
  %and.i230.15.1 = and i64 %shr.i229.15.1, %102
  %.idx387.15.1 = shl nuw nsw i64 %and.i230.15.1, 6
  %gep575 = getelementptr i8, ptr %invariant.gep574, i64 %.idx387.15.1
  %199 = load i32, ptr %gep575, align 4
  %conv20.i.15.1 = trunc i64 %152 to i32
  %cmp21.i.15.1 = icmp sgt i32 %199, %conv20.i.15.1
  %conv23.i.15.1 = zext i1 %cmp21.i.15.1 to i64
  %shr26.i.15.1 = lshr i64 %152, %101
  %200 = getelementptr i64, ptr %add.ptr51, i64 %shr26.i.15.1
  %arrayidx28.i.15.1 = getelementptr i64, ptr %200, i64 %conv23.i.15.1
  %201 = load i64, ptr %arrayidx28.i.15.1, align 8
  %shr45.i.1484 = or i64 %159, %156
  %shr45.i.2485 = or i64 %162, %shr45.i.1484
  %shr45.i.3486 = or i64 %165, %shr45.i.2485
  %shr45.i.4487 = or i64 %168, %shr45.i.3486
  %shr45.i.5488 = or i64 %171, %shr45.i.4487
  %shr45.i.6489 = or i64 %174, %shr45.i.5488
  %shr45.i.7490 = or i64 %177, %shr45.i.6489
  %shr45.i.8491 = or i64 %180, %shr45.i.7490
  %shr45.i.9492 = or i64 %183, %shr45.i.8491
  %shr45.i.10493 = or i64 %186, %shr45.i.9492
  %shr45.i.11494 = or i64 %189, %shr45.i.10493
  %shr45.i.12495 = or i64 %192, %shr45.i.11494
  %shr45.i.13496 = or i64 %195, %shr45.i.12495
  %shr45.i.14497 = or i64 %198, %shr45.i.13496
  %shr45.i.15498 = or i64 %201, %shr45.i.14497
  %or.i228.15 = lshr i64 %shr45.i.15498, 32
  %and49.i = and i64 %or.i228.15, %102
  %tobool.not.not.i = icmp ne i64 %and49.i, 0
  %add51.i = add i64 %step.0.i368, 2
  %cmp3.i = icmp ult i64 %add51.i, %100
  %or.cond = select i1 %tobool.not.not.i, i1 %cmp3.i, i1 false
  br i1 %or.cond, label %for.cond6.i.preheader, label %cleanup52.i, !llvm.loop !15

cleanup52.i:                                      ; preds = %for.cond6.i.preheader, %if.else47
  %node.i.sroa.107.1 = phi i64 [ %103, %if.else47 ], [ %201, %for.cond6.i.preheader ]
  %node.i.sroa.100.1 = phi i64 [ %103, %if.else47 ], [ %198, %for.cond6.i.preheader ]
  %node.i.sroa.93.1 = phi i64 [ %103, %if.else47 ], [ %195, %for.cond6.i.preheader ]
  %node.i.sroa.86.1 = phi i64 [ %103, %if.else47 ], [ %192, %for.cond6.i.preheader ]
  %node.i.sroa.79.1 = phi i64 [ %103, %if.else47 ], [ %189, %for.cond6.i.preheader ]
  %node.i.sroa.72.1 = phi i64 [ %103, %if.else47 ], [ %186, %for.cond6.i.preheader ]
  %node.i.sroa.65.1 = phi i64 [ %103, %if.else47 ], [ %183, %for.cond6.i.preheader ]
  %node.i.sroa.58.1 = phi i64 [ %103, %if.else47 ], [ %180, %for.cond6.i.preheader ]
  %node.i.sroa.51.1 = phi i64 [ %103, %if.else47 ], [ %177, %for.cond6.i.preheader ]
  %node.i.sroa.44.1 = phi i64 [ %103, %if.else47 ], [ %174, %for.cond6.i.preheader ]
  %node.i.sroa.37.1 = phi i64 [ %103, %if.else47 ], [ %171, %for.cond6.i.preheader ]
  %node.i.sroa.30.1 = phi i64 [ %103, %if.else47 ], [ %168, %for.cond6.i.preheader ]
  %node.i.sroa.23.1 = phi i64 [ %103, %if.else47 ], [ %165, %for.cond6.i.preheader ]
  %node.i.sroa.16.1 = phi i64 [ %103, %if.else47 ], [ %162, %for.cond6.i.preheader ]
  %node.i.sroa.9.1 = phi i64 [ %103, %if.else47 ], [ %159, %for.cond6.i.preheader ]
  %node.i.sroa.0.1 = phi i64 [ %103, %if.else47 ], [ %156, %for.cond6.i.preheader ]
  %conv62.i = trunc i64 %node.i.sroa.0.1 to i32
  %vecins.i = insertelement <16 x i32> <i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 undef, i32 undef, i32 undef, i32 undef, i32 undef, i32 undef>, i32 %conv62.i, i64 0
  %conv62.i.1 = trunc i64 %node.i.sroa.9.1 to i32
  %vecins.i.1 = insertelement <16 x i32> %vecins.i, i32 %conv62.i.1, i64 1
  %conv62.i.2 = trunc i64 %node.i.sroa.16.1 to i32
  %vecins.i.2 = insertelement <16 x i32> %vecins.i.1, i32 %conv62.i.2, i64 2
  %conv62.i.3 = trunc i64 %node.i.sroa.23.1 to i32
  %vecins.i.3 = insertelement <16 x i32> %vecins.i.2, i32 %conv62.i.3, i64 3
  %conv62.i.4 = trunc i64 %node.i.sroa.30.1 to i32
  %vecins.i.4 = insertelement <16 x i32> %vecins.i.3, i32 %conv62.i.4, i64 4
  %conv62.i.5 = trunc i64 %node.i.sroa.37.1 to i32
  %vecins.i.5 = insertelement <16 x i32> %vecins.i.4, i32 %conv62.i.5, i64 5
  %conv62.i.6 = trunc i64 %node.i.sroa.44.1 to i32
  %vecins.i.6 = insertelement <16 x i32> %vecins.i.5, i32 %conv62.i.6, i64 6
  %conv62.i.7 = trunc i64 %node.i.sroa.51.1 to i32
  %vecins.i.7 = insertelement <16 x i32> %vecins.i.6, i32 %conv62.i.7, i64 7
  %conv62.i.8 = trunc i64 %node.i.sroa.58.1 to i32
  %vecins.i.8 = insertelement <16 x i32> %vecins.i.7, i32 %conv62.i.8, i64 8
  %conv62.i.9 = trunc i64 %node.i.sroa.65.1 to i32
  %vecins.i.9 = insertelement <16 x i32> %vecins.i.8, i32 %conv62.i.9, i64 9
  %conv62.i.10 = trunc i64 %node.i.sroa.72.1 to i32
  %vecins.i.10 = insertelement <16 x i32> %vecins.i.9, i32 %conv62.i.10, i64 10
  %conv62.i.11 = trunc i64 %node.i.sroa.79.1 to i32
  %vecins.i.11 = insertelement <16 x i32> %vecins.i.10, i32 %conv62.i.11, i64 11
  %conv62.i.12 = trunc i64 %node.i.sroa.86.1 to i32
  %vecins.i.12 = insertelement <16 x i32> %vecins.i.11, i32 %conv62.i.12, i64 12
  %conv62.i.13 = trunc i64 %node.i.sroa.93.1 to i32
  %vecins.i.13 = insertelement <16 x i32> %vecins.i.12, i32 %conv62.i.13, i64 13
  %conv62.i.14 = trunc i64 %node.i.sroa.100.1 to i32
  %vecins.i.14 = insertelement <16 x i32> %vecins.i.13, i32 %conv62.i.14, i64 14
  %conv62.i.15 = trunc i64 %node.i.sroa.107.1 to i32
  %vecins.i.15 = insertelement <16 x i32> %vecins.i.14, i32 %conv62.i.15, i64 15
  br label %if.end56

if.end56:                                         ; preds = %for.cond.cleanup6.i, %if.then, %leaves_by_sets.exit, %cleanup52.i
  %leaves.0 = phi <16 x i32> [ %98, %leaves_by_sets.exit ], [ %vecins.i.15, %cleanup52.i ], [ zeroinitializer, %if.then ], [ %or29.i, %for.cond.cleanup6.i ]
  %add.ptr59.idx = mul i64 %mul57, %number.0378
  %add.ptr59 = getelementptr i8, ptr %sums, i64 %add.ptr59.idx
  br i1 %cmp60, label %if.then61, label %for.cond64.preheader

for.cond64.preheader:                             ; preds = %if.end56
  br i1 %cmp65373.not, label %if.end75, label %for.body67.preheader

for.body67.preheader:                             ; preds = %for.cond64.preheader
  %vecext.i = extractelement <16 x i32> %leaves.0, i64 0
  %conv.i246 = zext i32 %vecext.i to i64
  %mul.i247 = mul i64 %0, %conv.i246
  %vecext.i.1 = extractelement <16 x i32> %leaves.0, i64 1
  %conv.i246.1 = zext i32 %vecext.i.1 to i64
  %mul.i247.1 = mul i64 %0, %conv.i246.1
  %vecext.i.2 = extractelement <16 x i32> %leaves.0, i64 2
  %conv.i246.2 = zext i32 %vecext.i.2 to i64
  %mul.i247.2 = mul i64 %0, %conv.i246.2
  %vecext.i.3 = extractelement <16 x i32> %leaves.0, i64 3
  %conv.i246.3 = zext i32 %vecext.i.3 to i64
  %mul.i247.3 = mul i64 %0, %conv.i246.3
  %vecext.i.4 = extractelement <16 x i32> %leaves.0, i64 4
  %conv.i246.4 = zext i32 %vecext.i.4 to i64
  %mul.i247.4 = mul i64 %0, %conv.i246.4
  %vecext.i.5 = extractelement <16 x i32> %leaves.0, i64 5
  %conv.i246.5 = zext i32 %vecext.i.5 to i64
  %mul.i247.5 = mul i64 %0, %conv.i246.5
  %vecext.i.6 = extractelement <16 x i32> %leaves.0, i64 6
  %conv.i246.6 = zext i32 %vecext.i.6 to i64
  %mul.i247.6 = mul i64 %0, %conv.i246.6
  %vecext.i.7 = extractelement <16 x i32> %leaves.0, i64 7
  %conv.i246.7 = zext i32 %vecext.i.7 to i64
  %mul.i247.7 = mul i64 %0, %conv.i246.7
  %vecext.i.8 = extractelement <16 x i32> %leaves.0, i64 8
  %conv.i246.8 = zext i32 %vecext.i.8 to i64
  %mul.i247.8 = mul i64 %0, %conv.i246.8
  %vecext.i.9 = extractelement <16 x i32> %leaves.0, i64 9
  %conv.i246.9 = zext i32 %vecext.i.9 to i64
  %mul.i247.9 = mul i64 %0, %conv.i246.9
  %vecext.i.10 = extractelement <16 x i32> %leaves.0, i64 10
  %conv.i246.10 = zext i32 %vecext.i.10 to i64
  %mul.i247.10 = mul i64 %0, %conv.i246.10
  %vecext.i.11 = extractelement <16 x i32> %leaves.0, i64 11
  %conv.i246.11 = zext i32 %vecext.i.11 to i64
  %mul.i247.11 = mul i64 %0, %conv.i246.11
  %vecext.i.12 = extractelement <16 x i32> %leaves.0, i64 12
  %conv.i246.12 = zext i32 %vecext.i.12 to i64
  %mul.i247.12 = mul i64 %0, %conv.i246.12
  %vecext.i.13 = extractelement <16 x i32> %leaves.0, i64 13
  %conv.i246.13 = zext i32 %vecext.i.13 to i64
  %mul.i247.13 = mul i64 %0, %conv.i246.13
  %vecext.i.14 = extractelement <16 x i32> %leaves.0, i64 14
  %conv.i246.14 = zext i32 %vecext.i.14 to i64
  %mul.i247.14 = mul i64 %0, %conv.i246.14
  %vecext.i.15 = extractelement <16 x i32> %leaves.0, i64 15
  %conv.i246.15 = zext i32 %vecext.i.15 to i64
  %mul.i247.15 = mul i64 %0, %conv.i246.15
  br label %for.body67

if.then61:                                        ; preds = %if.end56
  %202 = load i64, ptr %adds_single70, align 8
  %vecext.i263 = extractelement <16 x i32> %leaves.0, i64 0
  %conv.i264 = zext i32 %vecext.i263 to i64
  %arrayidx.i266 = getelementptr double, ptr %add.ptr, i64 %conv.i264
  %203 = load double, ptr %arrayidx.i266, align 8
  %vecins.i267 = insertelement <16 x double> <double poison, double poison, double poison, double poison, double poison, double poison, double poison, double poison, double poison, double poison, double undef, double undef, double undef, double undef, double undef, double undef>, double %203, i64 0
  %vecext.i263.1 = extractelement <16 x i32> %leaves.0, i64 1
  %conv.i264.1 = zext i32 %vecext.i263.1 to i64
  %arrayidx.i266.1 = getelementptr double, ptr %add.ptr, i64 %conv.i264.1
  %204 = load double, ptr %arrayidx.i266.1, align 8
  %vecins.i267.1 = insertelement <16 x double> %vecins.i267, double %204, i64 1
  %vecext.i263.2 = extractelement <16 x i32> %leaves.0, i64 2
  %conv.i264.2 = zext i32 %vecext.i263.2 to i64
  %arrayidx.i266.2 = getelementptr double, ptr %add.ptr, i64 %conv.i264.2
  %205 = load double, ptr %arrayidx.i266.2, align 8
  %vecins.i267.2 = insertelement <16 x double> %vecins.i267.1, double %205, i64 2
  %vecext.i263.3 = extractelement <16 x i32> %leaves.0, i64 3
  %conv.i264.3 = zext i32 %vecext.i263.3 to i64
  %arrayidx.i266.3 = getelementptr double, ptr %add.ptr, i64 %conv.i264.3
  %206 = load double, ptr %arrayidx.i266.3, align 8
  %vecins.i267.3 = insertelement <16 x double> %vecins.i267.2, double %206, i64 3
  %vecext.i263.4 = extractelement <16 x i32> %leaves.0, i64 4
  %conv.i264.4 = zext i32 %vecext.i263.4 to i64
  %arrayidx.i266.4 = getelementptr double, ptr %add.ptr, i64 %conv.i264.4
  %207 = load double, ptr %arrayidx.i266.4, align 8
  %vecins.i267.4 = insertelement <16 x double> %vecins.i267.3, double %207, i64 4
  %vecext.i263.5 = extractelement <16 x i32> %leaves.0, i64 5
  %conv.i264.5 = zext i32 %vecext.i263.5 to i64
  %arrayidx.i266.5 = getelementptr double, ptr %add.ptr, i64 %conv.i264.5
  %208 = load double, ptr %arrayidx.i266.5, align 8
  %vecins.i267.5 = insertelement <16 x double> %vecins.i267.4, double %208, i64 5
  %vecext.i263.6 = extractelement <16 x i32> %leaves.0, i64 6
  %conv.i264.6 = zext i32 %vecext.i263.6 to i64
  %arrayidx.i266.6 = getelementptr double, ptr %add.ptr, i64 %conv.i264.6
  %209 = load double, ptr %arrayidx.i266.6, align 8
  %vecins.i267.6 = insertelement <16 x double> %vecins.i267.5, double %209, i64 6
  %vecext.i263.7 = extractelement <16 x i32> %leaves.0, i64 7
  %conv.i264.7 = zext i32 %vecext.i263.7 to i64
  %arrayidx.i266.7 = getelementptr double, ptr %add.ptr, i64 %conv.i264.7
  %210 = load double, ptr %arrayidx.i266.7, align 8
  %vecins.i267.7 = insertelement <16 x double> %vecins.i267.6, double %210, i64 7
  %vecext.i263.8 = extractelement <16 x i32> %leaves.0, i64 8
  %conv.i264.8 = zext i32 %vecext.i263.8 to i64
  %arrayidx.i266.8 = getelementptr double, ptr %add.ptr, i64 %conv.i264.8
  %211 = load double, ptr %arrayidx.i266.8, align 8
  %vecins.i267.8 = insertelement <16 x double> %vecins.i267.7, double %211, i64 8
  %vecext.i263.9 = extractelement <16 x i32> %leaves.0, i64 9
  %conv.i264.9 = zext i32 %vecext.i263.9 to i64
  %arrayidx.i266.9 = getelementptr double, ptr %add.ptr, i64 %conv.i264.9
  %212 = load double, ptr %arrayidx.i266.9, align 8
  %vecins.i267.9 = insertelement <16 x double> %vecins.i267.8, double %212, i64 9
  %vecext.i263.10 = extractelement <16 x i32> %leaves.0, i64 10
  %conv.i264.10 = zext i32 %vecext.i263.10 to i64
  %arrayidx.i266.10 = getelementptr double, ptr %add.ptr, i64 %conv.i264.10
  %213 = load double, ptr %arrayidx.i266.10, align 8
  %vecins.i267.10 = insertelement <16 x double> %vecins.i267.9, double %213, i64 10
  %vecext.i263.11 = extractelement <16 x i32> %leaves.0, i64 11
  %conv.i264.11 = zext i32 %vecext.i263.11 to i64
  %arrayidx.i266.11 = getelementptr double, ptr %add.ptr, i64 %conv.i264.11
  %214 = load double, ptr %arrayidx.i266.11, align 8
  %vecins.i267.11 = insertelement <16 x double> %vecins.i267.10, double %214, i64 11
  %vecext.i263.12 = extractelement <16 x i32> %leaves.0, i64 12
  %conv.i264.12 = zext i32 %vecext.i263.12 to i64
  %arrayidx.i266.12 = getelementptr double, ptr %add.ptr, i64 %conv.i264.12
  %215 = load double, ptr %arrayidx.i266.12, align 8
  %vecins.i267.12 = insertelement <16 x double> %vecins.i267.11, double %215, i64 12
  %vecext.i263.13 = extractelement <16 x i32> %leaves.0, i64 13
  %conv.i264.13 = zext i32 %vecext.i263.13 to i64
  %arrayidx.i266.13 = getelementptr double, ptr %add.ptr, i64 %conv.i264.13
  %216 = load double, ptr %arrayidx.i266.13, align 8
  %vecins.i267.13 = insertelement <16 x double> %vecins.i267.12, double %216, i64 13
  %vecext.i263.14 = extractelement <16 x i32> %leaves.0, i64 14
  %conv.i264.14 = zext i32 %vecext.i263.14 to i64
  %arrayidx.i266.14 = getelementptr double, ptr %add.ptr, i64 %conv.i264.14
  %217 = load double, ptr %arrayidx.i266.14, align 8
  %vecins.i267.14 = insertelement <16 x double> %vecins.i267.13, double %217, i64 14
  %vecext.i263.15 = extractelement <16 x i32> %leaves.0, i64 15
  %conv.i264.15 = zext i32 %vecext.i263.15 to i64
  %arrayidx.i266.15 = getelementptr double, ptr %add.ptr, i64 %conv.i264.15
  %218 = load double, ptr %arrayidx.i266.15, align 8
  %vecins.i267.15 = insertelement <16 x double> %vecins.i267.14, double %218, i64 15
  %add.ptr62 = getelementptr <16 x double>, ptr %add.ptr59, i64 %62
  %219 = load <16 x double>, ptr %add.ptr62, align 8
  %add.i257 = fadd <16 x double> %vecins.i267.15, %219
  %tobool.not.i258 = icmp eq i64 %202, 0
  %conv1.i259 = fptrunc <16 x double> %add.i257 to <16 x float>
  %conv2.i260 = fpext <16 x float> %conv1.i259 to <16 x double>
  %cond.i261 = select i1 %tobool.not.i258, <16 x double> %add.i257, <16 x double> %conv2.i260
  store <16 x double> %cond.i261, ptr %add.ptr62, align 8
  br label %if.end75

for.body67:                                       ; preds = %for.body67.preheader, %for.body67
  %output.0374 = phi i64 [ %inc73, %for.body67 ], [ 0, %for.body67.preheader ]
  %add.ptr69 = getelementptr double, ptr %add.ptr, i64 %output.0374
  %220 = load i64, ptr %adds_single70, align 8
  %arrayidx.i248 = getelementptr double, ptr %add.ptr69, i64 %mul.i247
  %221 = load double, ptr %arrayidx.i248, align 8
  %vecins.i249 = insertelement <16 x double> <double poison, double poison, double poison, double poison, double poison, double poison, double poison, double poison, double poison, double poison, double undef, double undef, double undef, double undef, double undef, double undef>, double %221, i64 0
  %arrayidx.i248.1 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.1
  %222 = load double, ptr %arrayidx.i248.1, align 8
  %vecins.i249.1 = insertelement <16 x double> %vecins.i249, double %222, i64 1
  %arrayidx.i248.2 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.2
  %223 = load double, ptr %arrayidx.i248.2, align 8
  %vecins.i249.2 = insertelement <16 x double> %vecins.i249.1, double %223, i64 2
  %arrayidx.i248.3 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.3
  %224 = load double, ptr %arrayidx.i248.3, align 8
  %vecins.i249.3 = insertelement <16 x double> %vecins.i249.2, double %224, i64 3
  %arrayidx.i248.4 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.4
  %225 = load double, ptr %arrayidx.i248.4, align 8
  %vecins.i249.4 = insertelement <16 x double> %vecins.i249.3, double %225, i64 4
  %arrayidx.i248.5 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.5
  %226 = load double, ptr %arrayidx.i248.5, align 8
  %vecins.i249.5 = insertelement <16 x double> %vecins.i249.4, double %226, i64 5
  %arrayidx.i248.6 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.6
  %227 = load double, ptr %arrayidx.i248.6, align 8
  %vecins.i249.6 = insertelement <16 x double> %vecins.i249.5, double %227, i64 6
  %arrayidx.i248.7 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.7
  %228 = load double, ptr %arrayidx.i248.7, align 8
  %vecins.i249.7 = insertelement <16 x double> %vecins.i249.6, double %228, i64 7
  %arrayidx.i248.8 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.8
  %229 = load double, ptr %arrayidx.i248.8, align 8
  %vecins.i249.8 = insertelement <16 x double> %vecins.i249.7, double %229, i64 8
  %arrayidx.i248.9 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.9
  %230 = load double, ptr %arrayidx.i248.9, align 8
  %vecins.i249.9 = insertelement <16 x double> %vecins.i249.8, double %230, i64 9
  %arrayidx.i248.10 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.10
  %231 = load double, ptr %arrayidx.i248.10, align 8
  %vecins.i249.10 = insertelement <16 x double> %vecins.i249.9, double %231, i64 10
  %arrayidx.i248.11 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.11
  %232 = load double, ptr %arrayidx.i248.11, align 8
  %vecins.i249.11 = insertelement <16 x double> %vecins.i249.10, double %232, i64 11
  %arrayidx.i248.12 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.12
  %233 = load double, ptr %arrayidx.i248.12, align 8
  %vecins.i249.12 = insertelement <16 x double> %vecins.i249.11, double %233, i64 12
  %arrayidx.i248.13 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.13
  %234 = load double, ptr %arrayidx.i248.13, align 8
  %vecins.i249.13 = insertelement <16 x double> %vecins.i249.12, double %234, i64 13
  %arrayidx.i248.14 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.14
  %235 = load double, ptr %arrayidx.i248.14, align 8
  %vecins.i249.14 = insertelement <16 x double> %vecins.i249.13, double %235, i64 14
  %arrayidx.i248.15 = getelementptr double, ptr %add.ptr69, i64 %mul.i247.15
  %236 = load double, ptr %arrayidx.i248.15, align 8
  %vecins.i249.15 = insertelement <16 x double> %vecins.i249.14, double %236, i64 15
  %add.ptr68 = getelementptr <16 x double>, ptr %add.ptr59, i64 %output.0374
  %237 = load <16 x double>, ptr %add.ptr68, align 8
  %add.i242 = fadd <16 x double> %vecins.i249.15, %237
  %tobool.not.i243 = icmp eq i64 %220, 0
  %conv1.i = fptrunc <16 x double> %add.i242 to <16 x float>
  %conv2.i = fpext <16 x float> %conv1.i to <16 x double>
  %cond.i244 = select i1 %tobool.not.i243, <16 x double> %add.i242, <16 x double> %conv2.i
  store <16 x double> %cond.i244, ptr %add.ptr68, align 8
  %inc73 = add nuw i64 %output.0374, 1
  %exitcond428.not = icmp eq i64 %inc73, %0
  br i1 %exitcond428.not, label %if.end75, label %for.body67, !llvm.loop !16

if.end75:                                         ; preds = %for.body67, %for.cond64.preheader, %if.then61
  %inc77 = add nuw nsw i64 %number.0378, 1
  %exitcond430.not = icmp eq i64 %inc77, %div201
  br i1 %exitcond430.not, label %for.cond.cleanup28.loopexit, label %for.body29, !llvm.loop !17

for.cond87.preheader:                             ; preds = %for.cond82.preheader, %for.cond.cleanup89
  %row.0384 = phi i64 [ %inc106, %for.cond.cleanup89 ], [ 0, %for.cond82.preheader ]
  br i1 %cmp65373.not, label %for.cond.cleanup89, label %for.body90.lr.ph

for.body90.lr.ph:                                 ; preds = %for.cond87.preheader
  %div91202 = lshr i64 %row.0384, 4
  %mul92 = mul i64 %div91202, %0
  %rem95 = and i64 %row.0384, 15
  %add98 = add i64 %row.0384, %first.0386
  %mul99 = mul i64 %add98, %0
  %238 = getelementptr double, ptr %out, i64 %mul99
  br label %for.body90

for.cond.cleanup84:                               ; preds = %for.cond.cleanup89, %for.cond82.preheader
  %239 = load i64, ptr %height, align 8
  %mul110 = shl i64 %239, 4
  %add111 = add i64 %mul110, %first.0386
  %cmp = icmp ult i64 %add111, %stop
  br i1 %cmp, label %for.body, label %for.cond.cleanup, !llvm.loop !18

for.cond.cleanup89:                               ; preds = %for.body90, %for.cond87.preheader
  %inc106 = add nuw i64 %row.0384, 1
  %exitcond432.not = icmp eq i64 %inc106, %sub.mul2
  br i1 %exitcond432.not, label %for.cond.cleanup84, label %for.cond87.preheader, !llvm.loop !19

for.body90:                                       ; preds = %for.body90.lr.ph, %for.body90
  %output86.0382 = phi i64 [ 0, %for.body90.lr.ph ], [ %inc103, %for.body90 ]
  %add93 = add i64 %output86.0382, %mul92
  %mul94 = shl i64 %add93, 4
  %add96 = or disjoint i64 %mul94, %rem95
  %arrayidx97 = getelementptr double, ptr %sums, i64 %add96
  %240 = load double, ptr %arrayidx97, align 8
  %arrayidx101 = getelementptr double, ptr %238, i64 %output86.0382
  store double %240, ptr %arrayidx101, align 8
  %inc103 = add nuw i64 %output86.0382, 1
  %exitcond431.not = icmp eq i64 %inc103, %0
  br i1 %exitcond431.not, label %for.cond.cleanup89, label %for.body90, !llvm.loop !20
}

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.start.p0(i64 immarg, ptr nocapture) #1

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.end.p0(i64 immarg, ptr nocapture) #1

; Function Attrs: nounwind
define dso_local void @softmax(ptr noundef %values, i64 noundef %rows, i64 noundef %outputs, double noundef %steepness) local_unnamed_addr #2 {
entry:
  %mul = mul i64 %outputs, %rows
  %add.ptr = getelementptr double, ptr %values, i64 %mul
  %cmp65 = icmp ugt ptr %add.ptr, %values
  br i1 %cmp65, label %for.body.lr.ph, label %for.cond.cleanup

for.body.lr.ph:                                   ; preds = %entry
  %cmp256 = icmp ugt i64 %outputs, 1
  %cmp1059.not = icmp eq i64 %outputs, 0
  br label %for.body

for.cond.cleanup:                                 ; preds = %for.cond.cleanup22, %entry
  ret void

for.body:                                         ; preds = %for.body.lr.ph, %for.cond.cleanup22
  %row.066 = phi ptr [ %values, %for.body.lr.ph ], [ %add.ptr29, %for.cond.cleanup22 ]
  %0 = load double, ptr %row.066, align 8
  br i1 %cmp256, label %for.body4, label %for.cond9.preheader

for.cond9.preheader:                              ; preds = %for.body
  br i1 %cmp1059.not, label %for.cond.cleanup22, label %for.body12.preheader

for.body12.preheader:                             ; preds = %for.body4, %for.cond9.preheader
  %most.0.lcssa70 = phi double [ %0, %for.cond9.preheader ], [ %.most.0, %for.body4 ]
  br label %for.body12

for.body4:                                        ; preds = %for.body, %for.body4
  %output.058 = phi i64 [ %inc, %for.body4 ], [ 1, %for.body ]
  %most.057 = phi double [ %.most.0, %for.body4 ], [ %0, %for.body ]
  %arrayidx5 = getelementptr double, ptr %row.066, i64 %output.058
  %1 = load double, ptr %arrayidx5, align 8
  %cmp6 = fcmp ogt double %1, %most.057
  %.most.0 = select i1 %cmp6, double %1, double %most.057
  %inc = add nuw i64 %output.058, 1
  %exitcond.not = icmp eq i64 %inc, %outputs
  br i1 %exitcond.not, label %for.body12.preheader, label %for.body4, !llvm.loop !21

for.body12:                                       ; preds = %for.body12.preheader, %for.body12
  %output8.061 = phi i64 [ %inc17, %for.body12 ], [ 0, %for.body12.preheader ]
  %total.060 = phi double [ %add, %for.body12 ], [ 0.000000e+00, %for.body12.preheader ]
  %arrayidx13 = getelementptr double, ptr %row.066, i64 %output8.061
  %2 = load double, ptr %arrayidx13, align 8
  %sub = fsub double %2, %most.0.lcssa70
  %call = tail call double @exp(double noundef %sub) #7
  store double %call, ptr %arrayidx13, align 8
  %add = fadd double %total.060, %call
  %inc17 = add nuw i64 %output8.061, 1
  %exitcond67.not = icmp eq i64 %inc17, %outputs
  br i1 %exitcond67.not, label %for.body23, label %for.body12, !llvm.loop !22

for.cond.cleanup22:                               ; preds = %for.body23, %for.cond9.preheader
  %add.ptr29 = getelementptr double, ptr %row.066, i64 %outputs
  %cmp = icmp ult ptr %add.ptr29, %add.ptr
  br i1 %cmp, label %for.body, label %for.cond.cleanup, !llvm.loop !23

for.body23:                                       ; preds = %for.body12, %for.body23
  %output19.064 = phi i64 [ %inc26, %for.body23 ], [ 0, %for.body12 ]
  %arrayidx24 = getelementptr double, ptr %row.066, i64 %output19.064
  %3 = load double, ptr %arrayidx24, align 8
  %div = fdiv double %3, %add
  store double %div, ptr %arrayidx24, align 8
  %inc26 = add nuw i64 %output19.064, 1
  %exitcond68.not = icmp eq i64 %inc26, %outputs
  br i1 %exitcond68.not, label %for.cond.cleanup22, label %for.body23, !llvm.loop !24
}

declare dso_local double @exp(double noundef) local_unnamed_addr #3

; Function Attrs: nounwind
define dso_local void @softmax_single(ptr noundef %values, i64 noundef %rows, i64 noundef %outputs, double noundef %steepness) local_unnamed_addr #2 {
entry:
  %mul = mul i64 %outputs, %rows
  %add.ptr = getelementptr float, ptr %values, i64 %mul
  %cmp67 = icmp ugt ptr %add.ptr, %values
  br i1 %cmp67, label %for.body.lr.ph, label %for.cond.cleanup

for.body.lr.ph:                                   ; preds = %entry
  %cmp258 = icmp ugt i64 %outputs, 1
  %cmp1061.not = icmp eq i64 %outputs, 0
  br label %for.body

for.cond.cleanup:                                 ; preds = %for.cond.cleanup23, %entry
  ret void

for.body:                                         ; preds = %for.body.lr.ph, %for.cond.cleanup23
  %row.068 = phi ptr [ %values, %for.body.lr.ph ], [ %add.ptr31, %for.cond.cleanup23 ]
  %0 = load float, ptr %row.068, align 4
  br i1 %cmp258, label %for.body4, label %for.cond9.preheader

for.cond9.preheader:                              ; preds = %for.body
  br i1 %cmp1061.not, label %for.cond.cleanup23, label %for.body12.preheader

for.body12.preheader:                             ; preds = %for.body4, %for.cond9.preheader
  %most.0.lcssa72 = phi float [ %0, %for.cond9.preheader ], [ %.most.0, %for.body4 ]
  br label %for.body12

for.body4:                                        ; preds = %for.body, %for.body4
  %output.060 = phi i64 [ %inc, %for.body4 ], [ 1, %for.body ]
  %most.059 = phi float [ %.most.0, %for.body4 ], [ %0, %for.body ]
  %arrayidx5 = getelementptr float, ptr %row.068, i64 %output.060
  %1 = load float, ptr %arrayidx5, align 4
  %cmp6 = fcmp ogt float %1, %most.059
  %.most.0 = select i1 %cmp6, float %1, float %most.059
  %inc = add nuw i64 %output.060, 1
  %exitcond.not = icmp eq i64 %inc, %outputs
  br i1 %exitcond.not, label %for.body12.preheader, label %for.body4, !llvm.loop !25

for.body24.lr.ph:                                 ; preds = %for.body12
  %conv25 = fptrunc double %add to float
  br label %for.body24

for.body12:                                       ; preds = %for.body12.preheader, %for.body12
  %output8.063 = phi i64 [ %inc17, %for.body12 ], [ 0, %for.body12.preheader ]
  %total.062 = phi double [ %add, %for.body12 ], [ 0.000000e+00, %for.body12.preheader ]
  %arrayidx13 = getelementptr float, ptr %row.068, i64 %output8.063
  %2 = load float, ptr %arrayidx13, align 4
  %sub = fsub float %2, %most.0.lcssa72
  %call = tail call float @expf(float noundef %sub) #7
  store float %call, ptr %arrayidx13, align 4
  %conv = fpext float %call to double
  %add = fadd double %total.062, %conv
  %inc17 = add nuw i64 %output8.063, 1
  %exitcond69.not = icmp eq i64 %inc17, %outputs
  br i1 %exitcond69.not, label %for.body24.lr.ph, label %for.body12, !llvm.loop !26

for.cond.cleanup23:                               ; preds = %for.body24, %for.cond9.preheader
  %add.ptr31 = getelementptr float, ptr %row.068, i64 %outputs
  %cmp = icmp ult ptr %add.ptr31, %add.ptr
  br i1 %cmp, label %for.body, label %for.cond.cleanup, !llvm.loop !27

for.body24:                                       ; preds = %for.body24.lr.ph, %for.body24
  %output19.066 = phi i64 [ 0, %for.body24.lr.ph ], [ %inc28, %for.body24 ]
  %arrayidx26 = getelementptr float, ptr %row.068, i64 %output19.066
  %3 = load float, ptr %arrayidx26, align 4
  %div = fdiv float %3, %conv25
  store float %div, ptr %arrayidx26, align 4
  %inc28 = add nuw i64 %output19.066, 1
  %exitcond70.not = icmp eq i64 %inc28, %outputs
  br i1 %exitcond70.not, label %for.cond.cleanup23, label %for.body24, !llvm.loop !28
}

declare dso_local float @expf(float noundef) local_unnamed_addr #3

; Function Attrs: nounwind
define dso_local void @sigmoid(ptr nocapture noundef %values, i64 noundef %rows, i64 noundef %outputs, double noundef %steepness) local_unnamed_addr #2 {
entry:
  %mul = mul i64 %outputs, %rows
  %cmp7.not = icmp eq i64 %mul, 0
  br i1 %cmp7.not, label %for.cond.cleanup, label %for.body.lr.ph

for.body.lr.ph:                                   ; preds = %entry
  %fneg = fneg double %steepness
  br label %for.body

for.cond.cleanup:                                 ; preds = %for.body, %entry
  ret void

for.body:                                         ; preds = %for.body.lr.ph, %for.body
  %at.08 = phi i64 [ 0, %for.body.lr.ph ], [ %inc, %for.body ]
  %arrayidx = getelementptr double, ptr %values, i64 %at.08
  %0 = load double, ptr %arrayidx, align 8
  %mul1 = fmul double %0, %fneg
  %call = tail call double @exp(double noundef %mul1) #7
  %add = fadd double %call, 1.000000e+00
  %div = fdiv double 1.000000e+00, %add
  store double %div, ptr %arrayidx, align 8
  %inc = add nuw i64 %at.08, 1
  %exitcond.not = icmp eq i64 %inc, %mul
  br i1 %exitcond.not, label %for.cond.cleanup, label %for.body, !llvm.loop !29
}

; Function Attrs: nounwind
define dso_local void @sigmoid_single(ptr nocapture noundef %values, i64 noundef %rows, i64 noundef %outputs, double noundef %steepness) local_unnamed_addr #2 {
entry:
  %mul = mul i64 %outputs, %rows
  %cmp10.not = icmp eq i64 %mul, 0
  br i1 %cmp10.not, label %for.cond.cleanup, label %for.body

for.cond.cleanup:                                 ; preds = %for.body, %entry
  ret void

for.body:                                         ; preds = %entry, %for.body
  %at.011 = phi i64 [ %inc, %for.body ], [ 0, %entry ]
  %arrayidx = getelementptr float, ptr %values, i64 %at.011
  %0 = load float, ptr %arrayidx, align 4
  %fneg = fneg float %0
  %cmp1 = fcmp olt float %fneg, 0x40562CCCC0000000
  %cond = select i1 %cmp1, float %fneg, float 0x40562CCCC0000000
  %call = tail call float @expf(float noundef %cond) #7
  %add = fadd float %call, 1.000000e+00
  %add3 = fadd float %add, 0x3C9CD2B2A0000000
  %div = fdiv float 1.000000e+00, %add3
  store float %div, ptr %arrayidx, align 4
  %inc = add nuw i64 %at.011, 1
  %exitcond.not = icmp eq i64 %inc, %mul
  br i1 %exitcond.not, label %for.cond.cleanup, label %for.body, !llvm.loop !30
}

; Function Attrs: nounwind
define dso_local void @exponential(ptr nocapture noundef %values, i64 noundef %rows, i64 noundef %outputs, double noundef %steepness) local_unnamed_addr #2 {
entry:
  %mul = mul i64 %outputs, %rows
  %cmp6.not = icmp eq i64 %mul, 0
  br i1 %cmp6.not, label %for.cond.cleanup, label %for.body

for.cond.cleanup:                                 ; preds = %for.body, %entry
  ret void

for.body:                                         ; preds = %entry, %for.body
  %at.07 = phi i64 [ %inc, %for.body ], [ 0, %entry ]
  %arrayidx = getelementptr double, ptr %values, i64 %at.07
  %0 = load double, ptr %arrayidx, align 8
  %call = tail call double @exp(double noundef %0) #7
  store double %call, ptr %arrayidx, align 8
  %inc = add nuw i64 %at.07, 1
  %exitcond.not = icmp eq i64 %inc, %mul
  br i1 %exitcond.not, label %for.cond.cleanup, label %for.body, !llvm.loop !31
}

; Function Attrs: nounwind
define dso_local void @exponential_single(ptr nocapture noundef %values, i64 noundef %rows, i64 noundef %outputs, double noundef %steepness) local_unnamed_addr #2 {
entry:
  %mul = mul i64 %outputs, %rows
  %cmp6.not = icmp eq i64 %mul, 0
  br i1 %cmp6.not, label %for.cond.cleanup, label %for.body

for.cond.cleanup:                                 ; preds = %for.body, %entry
  ret void

for.body:                                         ; preds = %entry, %for.body
  %at.07 = phi i64 [ %inc, %for.body ], [ 0, %entry ]
  %arrayidx = getelementptr float, ptr %values, i64 %at.07
  %0 = load float, ptr %arrayidx, align 4
  %call = tail call float @expf(float noundef %0) #7
  store float %call, ptr %arrayidx, align 4
  %inc = add nuw i64 %at.07, 1
  %exitcond.not = icmp eq i64 %inc, %mul
  br i1 %exitcond.not, label %for.cond.cleanup, label %for.body, !llvm.loop !32
}

; Function Attrs: nounwind
define dso_local void @log_exponential(ptr nocapture noundef %values, i64 noundef %rows, i64 noundef %outputs, double noundef %steepness) local_unnamed_addr #2 {
entry:
  %mul = mul i64 %outputs, %rows
  %cmp7.not = icmp eq i64 %mul, 0
  br i1 %cmp7.not, label %for.cond.cleanup, label %for.body

for.cond.cleanup:                                 ; preds = %for.body, %entry
  ret void

for.body:                                         ; preds = %entry, %for.body
  %at.08 = phi i64 [ %inc, %for.body ], [ 0, %entry ]
  %arrayidx = getelementptr double, ptr %values, i64 %at.08
  %0 = load double, ptr %arrayidx, align 8
  %call = tail call double @exp(double noundef %0) #7
  %call1 = tail call double @log1p(double noundef %call) #7
  store double %call1, ptr %arrayidx, align 8
  %inc = add nuw i64 %at.08, 1
  %exitcond.not = icmp eq i64 %inc, %mul
  br i1 %exitcond.not, label %for.cond.cleanup, label %for.body, !llvm.loop !33
}

declare dso_local double @log1p(double noundef) local_unnamed_addr #3

; Function Attrs: mustprogress nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare <16 x double> @llvm.fabs.v16f64(<16 x double>) #4

; Function Attrs: nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.umin.i64(i64, i64) #5

attributes #0 = { nofree norecurse nosync nounwind memory(readwrite, inaccessiblemem: none) "min-legal-vector-width"="512" "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #1 = { mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite) }
attributes #2 = { nounwind "min-legal-vector-width"="0" "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #3 = { "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #4 = { mustprogress nocallback nofree nosync nounwind speculatable willreturn memory(none) }
attributes #5 = { nocallback nofree nosync nounwind speculatable willreturn memory(none) }
attributes #6 = { nounwind }
attributes #7 = { nobuiltin nounwind "no-builtins" }

!llvm.module.flags = !{!0}

!0 = !{i32 1, !"wchar_size", i32 4}
!1 = distinct !{!1, !2, !3}
!2 = !{!"llvm.loop.mustprogress"}
!3 = !{!"llvm.loop.unroll.disable"}
!4 = distinct !{!4, !2, !3}
!5 = distinct !{!5, !2, !3}
!6 = distinct !{!6, !2, !3}
!7 = distinct !{!7, !2, !3}
!8 = distinct !{!8, !2, !3}
!9 = distinct !{!9, !2, !3}
!10 = distinct !{!10, !2, !3}
!11 = distinct !{!11, !2, !3}
!12 = distinct !{!12, !2, !3}
!13 = distinct !{!13, !2, !3}
!14 = distinct !{!14, !2, !3}
!15 = distinct !{!15, !2, !3}
!16 = distinct !{!16, !2, !3}
!17 = distinct !{!17, !2, !3}
!18 = distinct !{!18, !2, !3}
!19 = distinct !{!19, !2, !3}
!20 = distinct !{!20, !2, !3}
!21 = distinct !{!21, !2, !3}
!22 = distinct !{!22, !2, !3}
!23 = distinct !{!23, !2, !3}
!24 = distinct !{!24, !2, !3}
!25 = distinct !{!25, !2, !3}
!26 = distinct !{!26, !2, !3}
!27 = distinct !{!27, !2, !3}
!28 = distinct !{!28, !2, !3}
!29 = distinct !{!29, !2, !3}
!30 = distinct !{!30, !2, !3}
!31 = distinct !{!31, !2, !3}
!32 = distinct !{!32, !2, !3}
!33 = distinct !{!33, !2, !3}
