; Made of kernel.c by `make kernel`; SHA-256 of that text: f35e7cb953d0028c1b06e70ab243333c8317ad86b97100b6d86d8ab9d34c0b5e

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
  %cmp417 = icmp ult i64 %start, %stop
  br i1 %cmp417, label %for.body.lr.ph, label %for.cond.cleanup

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
  %mul59 = shl i64 %0, 7
  %cmp67405.not = icmp eq i64 %0, 0
  %adds_single72 = getelementptr inbounds i8, ptr %of, i64 40
  %.pre = load i64, ptr %height, align 8
  br label %for.body

for.cond.cleanup:                                 ; preds = %for.cond.cleanup86, %entry
  ret void

for.body:                                         ; preds = %for.body.lr.ph, %for.cond.cleanup86
  %2 = phi i64 [ %.pre, %for.body.lr.ph ], [ %281, %for.cond.cleanup86 ]
  %first.0418 = phi i64 [ %start, %for.body.lr.ph ], [ %add113, %for.cond.cleanup86 ]
  %sub = sub i64 %stop, %first.0418
  %mul2 = shl i64 %2, 4
  %sub.mul2 = tail call i64 @llvm.umin.i64(i64 %sub, i64 %mul2)
  %sub9 = add nuw i64 %sub.mul2, 15
  %div204 = lshr i64 %sub9, 4
  %3 = load ptr, ptr %of, align 8
  %4 = load ptr, ptr %columns, align 8
  %5 = load i64, ptr %width, align 8
  %6 = load ptr, ptr %cuts, align 8
  %cmp.i364.not = icmp eq i64 %sub.mul2, 0
  br i1 %cmp.i364.not, label %for.cond11.preheader, label %for.body.i.lr.ph

for.body.i.lr.ph:                                 ; preds = %for.body
  %7 = load i64, ptr %rounds, align 8
  %cmp8.i362.not = icmp eq i64 %5, 0
  %tobool.not.i278 = icmp eq i64 %7, 0
  %add38.i = shl i64 %5, 4
  %mul39.i = add i64 %add38.i, 16
  br label %for.body.i

for.cond11.preheader:                             ; preds = %for.cond.cleanup9.i, %for.body
  %mul13 = mul i64 %mul12, %div204
  %cmp14367.not = icmp eq i64 %mul13, 0
  br i1 %cmp14367.not, label %for.cond19.preheader, label %for.body16

for.body.i:                                       ; preds = %for.body.i.lr.ph, %for.cond.cleanup9.i
  %tiles.addr.0.i366 = phi ptr [ %tiles, %for.body.i.lr.ph ], [ %add.ptr40.i, %for.cond.cleanup9.i ]
  %at.0.i365 = phi i64 [ 0, %for.body.i.lr.ph ], [ %add37.i, %for.cond.cleanup9.i ]
  %sub.i = sub i64 %sub.mul2, %at.0.i365
  %cmp1.i = icmp ult i64 %sub.i, 16
  br label %for.body6.i

for.cond7.i.preheader:                            ; preds = %for.body6.i
  br i1 %cmp8.i362.not, label %for.cond.cleanup9.i, label %for.body10.i.lr.ph

for.body10.i.lr.ph:                               ; preds = %for.cond7.i.preheader
  %cond.i = tail call i64 @llvm.umin.i64(i64 %sub.i, i64 16)
  %sub23.i = add nsw i64 %cond.i, -1
  br label %for.body10.i

for.body6.i:                                      ; preds = %for.body.i, %for.body6.i
  %indvars.iv = phi i64 [ 0, %for.body.i ], [ %indvars.iv.next, %for.body6.i ]
  %arrayidx.i = getelementptr i32, ptr %tiles.addr.0.i366, i64 %indvars.iv
  store i32 -2147483648, ptr %arrayidx.i, align 4
  %indvars.iv.next = add nuw nsw i64 %indvars.iv, 1
  %exitcond.not = icmp eq i64 %indvars.iv.next, 16
  br i1 %exitcond.not, label %for.cond7.i.preheader, label %for.body6.i, !llvm.loop !1

for.cond.cleanup9.i:                              ; preds = %fill_column.exit, %for.cond7.i.preheader
  %add37.i = add nuw i64 %at.0.i365, 16
  %add.ptr40.i = getelementptr i32, ptr %tiles.addr.0.i366, i64 %mul39.i
  %cmp.i = icmp ult i64 %add37.i, %sub.mul2
  br i1 %cmp.i, label %for.body.i, label %for.cond11.preheader, !llvm.loop !4

for.body10.i:                                     ; preds = %for.body10.i.lr.ph, %fill_column.exit
  %number.0.i363 = phi i64 [ 0, %for.body10.i.lr.ph ], [ %add.i, %fill_column.exit ]
  %arrayidx11.i = getelementptr %struct.column, ptr %4, i64 %number.0.i363
  %8 = load i64, ptr %arrayidx11.i, align 8
  %arrayidx12.i = getelementptr i64, ptr %3, i64 %8
  %9 = load i64, ptr %arrayidx12.i, align 8
  %10 = inttoptr i64 %9 to ptr
  %add.ptr.i = getelementptr double, ptr %10, i64 %first.0418
  %add.ptr13.i = getelementptr double, ptr %add.ptr.i, i64 %at.0.i365
  call void @llvm.lifetime.start.p0(i64 128, ptr nonnull %last.i) #6
  br i1 %cmp1.i, label %for.body19.i, label %if.end.i

for.body19.i:                                     ; preds = %for.body10.i, %for.body19.i
  %lane15.0.i348 = phi i64 [ %inc29.i, %for.body19.i ], [ 0, %for.body10.i ]
  %cmp20.i = icmp ugt i64 %sub.i, %lane15.0.i348
  %cond25.i = select i1 %cmp20.i, i64 %lane15.0.i348, i64 %sub23.i
  %arrayidx26.i = getelementptr double, ptr %add.ptr13.i, i64 %cond25.i
  %11 = load double, ptr %arrayidx26.i, align 8
  %arrayidx27.i = getelementptr [16 x double], ptr %last.i, i64 0, i64 %lane15.0.i348
  store double %11, ptr %arrayidx27.i, align 8
  %inc29.i = add nuw nsw i64 %lane15.0.i348, 1
  %exitcond422.not = icmp eq i64 %inc29.i, 16
  br i1 %exitcond422.not, label %if.end.i, label %for.body19.i, !llvm.loop !5

if.end.i:                                         ; preds = %for.body19.i, %for.body10.i
  %values.0.i = phi ptr [ %add.ptr13.i, %for.body10.i ], [ %last.i, %for.body19.i ]
  %add.i = add nuw i64 %number.0.i363, 1
  %add.ptr32.idx.i = shl i64 %add.i, 6
  %add.ptr32.i = getelementptr i8, ptr %tiles.addr.0.i366, i64 %add.ptr32.idx.i
  %12 = load <16 x double>, ptr %values.0.i, align 8
  %conv.i279 = fptrunc <16 x double> %12 to <16 x float>
  %conv1.i280 = fpext <16 x float> %conv.i279 to <16 x double>
  %value.0.i281 = select i1 %tobool.not.i278, <16 x double> %12, <16 x double> %conv1.i280
  %elt.abs.i = tail call <16 x double> @llvm.fabs.v16f64(<16 x double> %value.0.i281)
  %tiny.i = getelementptr inbounds i8, ptr %arrayidx11.i, i64 32
  %13 = load double, ptr %tiny.i, align 8
  %splat.splatinsert.i282 = insertelement <16 x double> poison, double %13, i64 0
  %splat.splat.i283 = shufflevector <16 x double> %splat.splatinsert.i282, <16 x double> poison, <16 x i32> zeroinitializer
  %cmp.i284 = fcmp ole <16 x double> %elt.abs.i, %splat.splat.i283
  %is_tiny_missing.i = getelementptr inbounds i8, ptr %arrayidx11.i, i64 48
  %14 = load i64, ptr %is_tiny_missing.i, align 8
  %tobool2.not.i = icmp eq i64 %14, 0
  %cond.i285 = select i1 %tobool2.not.i, double 0.000000e+00, double 0x7FF8000000000000
  %splat.splatinsert3.i = insertelement <16 x double> poison, double %cond.i285, i64 0
  %15 = shufflevector <16 x double> %splat.splatinsert3.i, <16 x double> poison, <16 x i32> zeroinitializer
  %16 = select <16 x i1> %cmp.i284, <16 x double> %15, <16 x double> %value.0.i281
  %kind.i = getelementptr inbounds i8, ptr %arrayidx11.i, i64 8
  %17 = load i64, ptr %kind.i, align 8
  switch i64 %17, label %if.else17.i [
    i64 1, label %if.then8.i
    i64 0, label %if.then13.i
  ]

if.then8.i:                                       ; preds = %if.end.i
  %conv9.i = fptrunc <16 x double> %16 to <16 x float>
  %add.i298 = fadd <16 x float> %conv9.i, zeroinitializer
  %18 = bitcast <16 x float> %add.i298 to <16 x i32>
  %isneg.i = icmp slt <16 x i32> %18, zeroinitializer
  %and.i299 = select <16 x i1> %isneg.i, <16 x i32> <i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647>, <16 x i32> zeroinitializer
  %xor.i = xor <16 x i32> %and.i299, %18
  store <16 x i32> %xor.i, ptr %add.ptr32.i, align 4
  br label %fill_column.exit

if.then13.i:                                      ; preds = %if.end.i
  %first.i = getelementptr inbounds i8, ptr %arrayidx11.i, i64 16
  %19 = load i64, ptr %first.i, align 8
  %add.ptr.i286 = getelementptr double, ptr %6, i64 %19
  %cuts14.i = getelementptr inbounds i8, ptr %arrayidx11.i, i64 24
  %20 = load i64, ptr %cuts14.i, align 8
  %invariant.gep353 = getelementptr i8, ptr %add.ptr.i286, i64 -8
  %cmp.i304354 = icmp ugt i64 %20, 1
  br i1 %cmp.i304354, label %for.body.i314, label %for.cond11.i305.preheader

for.cond11.i305.preheader:                        ; preds = %for.body.i314, %if.then13.i
  %cut.0.i.lcssa = phi <16 x double> [ undef, %if.then13.i ], [ %vecins.i323.15, %for.body.i314 ]
  %at.0.i303.lcssa = phi <16 x i64> [ zeroinitializer, %if.then13.i ], [ %add6.i, %for.body.i314 ]
  %vecext15.i = extractelement <16 x i64> %at.0.i303.lcssa, i64 0
  %arrayidx16.i313 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i
  %21 = load double, ptr %arrayidx16.i313, align 8
  %vecins17.i = insertelement <16 x double> %cut.0.i.lcssa, double %21, i64 0
  %vecext15.i.1 = extractelement <16 x i64> %at.0.i303.lcssa, i64 1
  %arrayidx16.i313.1 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.1
  %22 = load double, ptr %arrayidx16.i313.1, align 8
  %vecins17.i.1 = insertelement <16 x double> %vecins17.i, double %22, i64 1
  %vecext15.i.2 = extractelement <16 x i64> %at.0.i303.lcssa, i64 2
  %arrayidx16.i313.2 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.2
  %23 = load double, ptr %arrayidx16.i313.2, align 8
  %vecins17.i.2 = insertelement <16 x double> %vecins17.i.1, double %23, i64 2
  %vecext15.i.3 = extractelement <16 x i64> %at.0.i303.lcssa, i64 3
  %arrayidx16.i313.3 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.3
  %24 = load double, ptr %arrayidx16.i313.3, align 8
  %vecins17.i.3 = insertelement <16 x double> %vecins17.i.2, double %24, i64 3
  %vecext15.i.4 = extractelement <16 x i64> %at.0.i303.lcssa, i64 4
  %arrayidx16.i313.4 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.4
  %25 = load double, ptr %arrayidx16.i313.4, align 8
  %vecins17.i.4 = insertelement <16 x double> %vecins17.i.3, double %25, i64 4
  %vecext15.i.5 = extractelement <16 x i64> %at.0.i303.lcssa, i64 5
  %arrayidx16.i313.5 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.5
  %26 = load double, ptr %arrayidx16.i313.5, align 8
  %vecins17.i.5 = insertelement <16 x double> %vecins17.i.4, double %26, i64 5
  %vecext15.i.6 = extractelement <16 x i64> %at.0.i303.lcssa, i64 6
  %arrayidx16.i313.6 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.6
  %27 = load double, ptr %arrayidx16.i313.6, align 8
  %vecins17.i.6 = insertelement <16 x double> %vecins17.i.5, double %27, i64 6
  %vecext15.i.7 = extractelement <16 x i64> %at.0.i303.lcssa, i64 7
  %arrayidx16.i313.7 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.7
  %28 = load double, ptr %arrayidx16.i313.7, align 8
  %vecins17.i.7 = insertelement <16 x double> %vecins17.i.6, double %28, i64 7
  %vecext15.i.8 = extractelement <16 x i64> %at.0.i303.lcssa, i64 8
  %arrayidx16.i313.8 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.8
  %29 = load double, ptr %arrayidx16.i313.8, align 8
  %vecins17.i.8 = insertelement <16 x double> %vecins17.i.7, double %29, i64 8
  %vecext15.i.9 = extractelement <16 x i64> %at.0.i303.lcssa, i64 9
  %arrayidx16.i313.9 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.9
  %30 = load double, ptr %arrayidx16.i313.9, align 8
  %vecins17.i.9 = insertelement <16 x double> %vecins17.i.8, double %30, i64 9
  %vecext15.i.10 = extractelement <16 x i64> %at.0.i303.lcssa, i64 10
  %arrayidx16.i313.10 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.10
  %31 = load double, ptr %arrayidx16.i313.10, align 8
  %vecins17.i.10 = insertelement <16 x double> %vecins17.i.9, double %31, i64 10
  %vecext15.i.11 = extractelement <16 x i64> %at.0.i303.lcssa, i64 11
  %arrayidx16.i313.11 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.11
  %32 = load double, ptr %arrayidx16.i313.11, align 8
  %vecins17.i.11 = insertelement <16 x double> %vecins17.i.10, double %32, i64 11
  %vecext15.i.12 = extractelement <16 x i64> %at.0.i303.lcssa, i64 12
  %arrayidx16.i313.12 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.12
  %33 = load double, ptr %arrayidx16.i313.12, align 8
  %vecins17.i.12 = insertelement <16 x double> %vecins17.i.11, double %33, i64 12
  %vecext15.i.13 = extractelement <16 x i64> %at.0.i303.lcssa, i64 13
  %arrayidx16.i313.13 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.13
  %34 = load double, ptr %arrayidx16.i313.13, align 8
  %vecins17.i.13 = insertelement <16 x double> %vecins17.i.12, double %34, i64 13
  %vecext15.i.14 = extractelement <16 x i64> %at.0.i303.lcssa, i64 14
  %arrayidx16.i313.14 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.14
  %35 = load double, ptr %arrayidx16.i313.14, align 8
  %vecins17.i.14 = insertelement <16 x double> %vecins17.i.13, double %35, i64 14
  %vecext15.i.15 = extractelement <16 x i64> %at.0.i303.lcssa, i64 15
  %arrayidx16.i313.15 = getelementptr double, ptr %add.ptr.i286, i64 %vecext15.i.15
  %36 = load double, ptr %arrayidx16.i313.15, align 8
  %vecins17.i.15 = insertelement <16 x double> %vecins17.i.14, double %36, i64 15
  %cmp21.i309 = fcmp olt <16 x double> %vecins17.i.15, %16
  %sext22.neg.i = zext <16 x i1> %cmp21.i309 to <16 x i64>
  %sub23.i310 = add <16 x i64> %at.0.i303.lcssa, %sext22.neg.i
  %conv.i311 = trunc <16 x i64> %sub23.i310 to <16 x i32>
  store <16 x i32> %conv.i311, ptr %add.ptr32.i, align 4
  br label %fill_column.exit

for.body.i314:                                    ; preds = %if.then13.i, %for.body.i314
  %left.0.i357 = phi i64 [ %sub8.i, %for.body.i314 ], [ %20, %if.then13.i ]
  %at.0.i303356 = phi <16 x i64> [ %add6.i, %for.body.i314 ], [ zeroinitializer, %if.then13.i ]
  %cut.0.i355 = phi <16 x double> [ %vecins.i323.15, %for.body.i314 ], [ undef, %if.then13.i ]
  %div43.i = lshr i64 %left.0.i357, 1
  %gep = getelementptr double, ptr %invariant.gep353, i64 %div43.i
  %vecext.i321 = extractelement <16 x i64> %at.0.i303356, i64 0
  %gep350 = getelementptr double, ptr %gep, i64 %vecext.i321
  %37 = load double, ptr %gep350, align 8
  %vecins.i323 = insertelement <16 x double> %cut.0.i355, double %37, i64 0
  %vecext.i321.1 = extractelement <16 x i64> %at.0.i303356, i64 1
  %gep350.1 = getelementptr double, ptr %gep, i64 %vecext.i321.1
  %38 = load double, ptr %gep350.1, align 8
  %vecins.i323.1 = insertelement <16 x double> %vecins.i323, double %38, i64 1
  %vecext.i321.2 = extractelement <16 x i64> %at.0.i303356, i64 2
  %gep350.2 = getelementptr double, ptr %gep, i64 %vecext.i321.2
  %39 = load double, ptr %gep350.2, align 8
  %vecins.i323.2 = insertelement <16 x double> %vecins.i323.1, double %39, i64 2
  %vecext.i321.3 = extractelement <16 x i64> %at.0.i303356, i64 3
  %gep350.3 = getelementptr double, ptr %gep, i64 %vecext.i321.3
  %40 = load double, ptr %gep350.3, align 8
  %vecins.i323.3 = insertelement <16 x double> %vecins.i323.2, double %40, i64 3
  %vecext.i321.4 = extractelement <16 x i64> %at.0.i303356, i64 4
  %gep350.4 = getelementptr double, ptr %gep, i64 %vecext.i321.4
  %41 = load double, ptr %gep350.4, align 8
  %vecins.i323.4 = insertelement <16 x double> %vecins.i323.3, double %41, i64 4
  %vecext.i321.5 = extractelement <16 x i64> %at.0.i303356, i64 5
  %gep350.5 = getelementptr double, ptr %gep, i64 %vecext.i321.5
  %42 = load double, ptr %gep350.5, align 8
  %vecins.i323.5 = insertelement <16 x double> %vecins.i323.4, double %42, i64 5
  %vecext.i321.6 = extractelement <16 x i64> %at.0.i303356, i64 6
  %gep350.6 = getelementptr double, ptr %gep, i64 %vecext.i321.6
  %43 = load double, ptr %gep350.6, align 8
  %vecins.i323.6 = insertelement <16 x double> %vecins.i323.5, double %43, i64 6
  %vecext.i321.7 = extractelement <16 x i64> %at.0.i303356, i64 7
  %gep350.7 = getelementptr double, ptr %gep, i64 %vecext.i321.7
  %44 = load double, ptr %gep350.7, align 8
  %vecins.i323.7 = insertelement <16 x double> %vecins.i323.6, double %44, i64 7
  %vecext.i321.8 = extractelement <16 x i64> %at.0.i303356, i64 8
  %gep350.8 = getelementptr double, ptr %gep, i64 %vecext.i321.8
  %45 = load double, ptr %gep350.8, align 8
  %vecins.i323.8 = insertelement <16 x double> %vecins.i323.7, double %45, i64 8
  %vecext.i321.9 = extractelement <16 x i64> %at.0.i303356, i64 9
  %gep350.9 = getelementptr double, ptr %gep, i64 %vecext.i321.9
  %46 = load double, ptr %gep350.9, align 8
  %vecins.i323.9 = insertelement <16 x double> %vecins.i323.8, double %46, i64 9
  %vecext.i321.10 = extractelement <16 x i64> %at.0.i303356, i64 10
  %gep350.10 = getelementptr double, ptr %gep, i64 %vecext.i321.10
  %47 = load double, ptr %gep350.10, align 8
  %vecins.i323.10 = insertelement <16 x double> %vecins.i323.9, double %47, i64 10
  %vecext.i321.11 = extractelement <16 x i64> %at.0.i303356, i64 11
  %gep350.11 = getelementptr double, ptr %gep, i64 %vecext.i321.11
  %48 = load double, ptr %gep350.11, align 8
  %vecins.i323.11 = insertelement <16 x double> %vecins.i323.10, double %48, i64 11
  %vecext.i321.12 = extractelement <16 x i64> %at.0.i303356, i64 12
  %gep350.12 = getelementptr double, ptr %gep, i64 %vecext.i321.12
  %49 = load double, ptr %gep350.12, align 8
  %vecins.i323.12 = insertelement <16 x double> %vecins.i323.11, double %49, i64 12
  %vecext.i321.13 = extractelement <16 x i64> %at.0.i303356, i64 13
  %gep350.13 = getelementptr double, ptr %gep, i64 %vecext.i321.13
  %50 = load double, ptr %gep350.13, align 8
  %vecins.i323.13 = insertelement <16 x double> %vecins.i323.12, double %50, i64 13
  %vecext.i321.14 = extractelement <16 x i64> %at.0.i303356, i64 14
  %gep350.14 = getelementptr double, ptr %gep, i64 %vecext.i321.14
  %51 = load double, ptr %gep350.14, align 8
  %vecins.i323.14 = insertelement <16 x double> %vecins.i323.13, double %51, i64 14
  %vecext.i321.15 = extractelement <16 x i64> %at.0.i303356, i64 15
  %gep350.15 = getelementptr double, ptr %gep, i64 %vecext.i321.15
  %52 = load double, ptr %gep350.15, align 8
  %vecins.i323.15 = insertelement <16 x double> %vecins.i323.14, double %52, i64 15
  %splat.splatinsert.i317 = insertelement <16 x i64> poison, i64 %div43.i, i64 0
  %splat.splat.i318 = shufflevector <16 x i64> %splat.splatinsert.i317, <16 x i64> poison, <16 x i32> zeroinitializer
  %cmp5.i319 = fcmp olt <16 x double> %vecins.i323.15, %16
  %and.i320 = select <16 x i1> %cmp5.i319, <16 x i64> %splat.splat.i318, <16 x i64> zeroinitializer
  %add6.i = add <16 x i64> %and.i320, %at.0.i303356
  %sub8.i = sub i64 %left.0.i357, %div43.i
  %cmp.i304 = icmp ugt i64 %sub8.i, 1
  br i1 %cmp.i304, label %for.body.i314, label %for.cond11.i305.preheader, !llvm.loop !6

if.else17.i:                                      ; preds = %if.end.i
  call void @llvm.lifetime.start.p0(i64 128, ptr nonnull %asked.i) #6
  store <16 x double> %16, ptr %asked.i, align 16
  br label %for.body.i293

for.cond.cleanup.i:                               ; preds = %for.body.i293
  call void @llvm.lifetime.end.p0(i64 128, ptr nonnull %asked.i) #6
  %.pre514 = load <16 x i32>, ptr %add.ptr32.i, align 4
  br label %fill_column.exit

for.body.i293:                                    ; preds = %if.else17.i, %for.body.i293
  %indvars.iv425 = phi i64 [ 0, %if.else17.i ], [ %indvars.iv.next426, %for.body.i293 ]
  %arrayidx.i295 = getelementptr [16 x double], ptr %asked.i, i64 0, i64 %indvars.iv425
  %53 = load double, ptr %arrayidx.i295, align 8
  %54 = load i64, ptr %kind.i, align 8
  %cmp.i325 = icmp eq i64 %54, 2
  %cmp1.i326 = fcmp ogt double %53, -1.000000e+00
  %cmp2.i327 = fcmp oge double %53, 0.000000e+00
  %cond.in.i = select i1 %cmp.i325, i1 %cmp1.i326, i1 %cmp2.i327
  %cmp4.i328 = fcmp olt double %53, 0x41DFFFFFFFC00000
  %or.cond.i = and i1 %cmp4.i328, %cond.in.i
  %conv7.i329 = fptosi double %53 to i32
  %cond10.i = select i1 %or.cond.i, i32 %conv7.i329, i32 -1
  %arrayidx23.i = getelementptr i32, ptr %add.ptr32.i, i64 %indvars.iv425
  store i32 %cond10.i, ptr %arrayidx23.i, align 4
  %indvars.iv.next426 = add nuw nsw i64 %indvars.iv425, 1
  %exitcond428.not = icmp eq i64 %indvars.iv.next426, 16
  br i1 %exitcond428.not, label %for.cond.cleanup.i, label %for.body.i293, !llvm.loop !7

fill_column.exit:                                 ; preds = %if.then8.i, %for.cond11.i305.preheader, %for.cond.cleanup.i
  %55 = phi <16 x i32> [ %xor.i, %if.then8.i ], [ %conv.i311, %for.cond11.i305.preheader ], [ %.pre514, %for.cond.cleanup.i ]
  %cmp26.i = fcmp uno <16 x double> %16, zeroinitializer
  %for_missing.i = getelementptr inbounds i8, ptr %arrayidx11.i, i64 40
  %56 = load i64, ptr %for_missing.i, align 8
  %conv31.i = trunc i64 %56 to i32
  %splat.splatinsert32.i287 = insertelement <16 x i32> poison, i32 %conv31.i, i64 0
  %splat.splat33.i288 = shufflevector <16 x i32> %splat.splatinsert32.i287, <16 x i32> poison, <16 x i32> zeroinitializer
  %or35.i289 = select <16 x i1> %cmp26.i, <16 x i32> %splat.splat33.i288, <16 x i32> %55
  store <16 x i32> %or35.i289, ptr %add.ptr32.i, align 4
  call void @llvm.lifetime.end.p0(i64 128, ptr nonnull %last.i) #6
  %exitcond429.not = icmp eq i64 %add.i, %5
  br i1 %exitcond429.not, label %for.cond.cleanup9.i, label %for.body10.i, !llvm.loop !8

for.cond19.preheader:                             ; preds = %for.body16, %for.cond11.preheader
  %57 = load i64, ptr %trees, align 8
  %cmp20411.not = icmp eq i64 %57, 0
  br i1 %cmp20411.not, label %for.cond84.preheader, label %for.body22

for.body16:                                       ; preds = %for.cond11.preheader, %for.body16
  %at.0368 = phi i64 [ %inc, %for.body16 ], [ 0, %for.cond11.preheader ]
  %58 = load ptr, ptr %base, align 8
  %div17206 = lshr i64 %at.0368, 4
  %rem = urem i64 %div17206, %0
  %arrayidx = getelementptr double, ptr %58, i64 %rem
  %59 = load double, ptr %arrayidx, align 8
  %arrayidx18 = getelementptr double, ptr %sums, i64 %at.0368
  store double %59, ptr %arrayidx18, align 8
  %inc = add nuw i64 %at.0368, 1
  %exitcond430.not = icmp eq i64 %inc, %mul13
  br i1 %exitcond430.not, label %for.cond19.preheader, label %for.body16, !llvm.loop !9

for.cond84.preheader:                             ; preds = %for.cond.cleanup28, %for.cond19.preheader
  br i1 %cmp.i364.not, label %for.cond.cleanup86, label %for.cond89.preheader

for.body22:                                       ; preds = %for.cond19.preheader, %for.cond.cleanup28
  %60 = phi i64 [ %66, %for.cond.cleanup28 ], [ %57, %for.cond19.preheader ]
  %tree.0412 = phi i64 [ %inc82, %for.cond.cleanup28 ], [ 0, %for.cond19.preheader ]
  %61 = load ptr, ptr %groups, align 8
  %arrayidx23 = getelementptr i64, ptr %61, i64 %tree.0412
  %62 = load i64, ptr %arrayidx23, align 8
  %63 = load ptr, ptr %values24, align 8
  %64 = load ptr, ptr %firsts, align 8
  %arrayidx25 = getelementptr i64, ptr %64, i64 %tree.0412
  %65 = load i64, ptr %arrayidx25, align 8
  %add.ptr = getelementptr double, ptr %63, i64 %65
  br i1 %cmp.i364.not, label %for.cond.cleanup28, label %for.body29.lr.ph

for.body29.lr.ph:                                 ; preds = %for.body22
  %cmp62 = icmp sgt i64 %62, -1
  br label %for.body29

for.cond.cleanup28.loopexit:                      ; preds = %if.end77
  %.pre515 = load i64, ptr %trees, align 8
  br label %for.cond.cleanup28

for.cond.cleanup28:                               ; preds = %for.cond.cleanup28.loopexit, %for.body22
  %66 = phi i64 [ %.pre515, %for.cond.cleanup28.loopexit ], [ %60, %for.body22 ]
  %inc82 = add nuw i64 %tree.0412, 1
  %cmp20 = icmp ult i64 %inc82, %66
  br i1 %cmp20, label %for.body22, label %for.cond84.preheader, !llvm.loop !10

for.body29:                                       ; preds = %for.body29.lr.ph, %if.end77
  %number.0410 = phi i64 [ 0, %for.body29.lr.ph ], [ %inc79, %if.end77 ]
  %mul30 = mul i64 %number.0410, %mul
  %add.ptr31 = getelementptr i32, ptr %tiles, i64 %mul30
  %67 = load ptr, ptr %splits, align 8
  %tobool.not = icmp eq ptr %67, null
  br i1 %tobool.not, label %if.else, label %if.then

if.then:                                          ; preds = %for.body29
  %68 = load ptr, ptr %chunks, align 8
  %69 = load ptr, ptr %bounds, align 8
  %arrayidx33 = getelementptr i64, ptr %69, i64 %tree.0412
  %70 = load i64, ptr %arrayidx33, align 8
  %add.ptr35.idx = shl i64 %70, 4
  %add.ptr35 = getelementptr i8, ptr %68, i64 %add.ptr35.idx
  %arrayidx38 = getelementptr i8, ptr %arrayidx33, i64 8
  %71 = load i64, ptr %arrayidx38, align 8
  %72 = load ptr, ptr %sets, align 8
  %cmp.not.i382 = icmp eq i64 %71, %70
  br i1 %cmp.not.i382, label %if.end58, label %for.body.i208.preheader

for.body.i208.preheader:                          ; preds = %if.then
  %73 = xor i64 %70, -1
  %dec.i381 = add i64 %71, %73
  br label %for.body.i208

for.body.i208:                                    ; preds = %for.body.i208.preheader, %for.end38.i
  %dec.i384 = phi i64 [ %dec.i, %for.end38.i ], [ %dec.i381, %for.body.i208.preheader ]
  %leaves.0.i383 = phi <16 x i32> [ %or52.i, %for.end38.i ], [ zeroinitializer, %for.body.i208.preheader ]
  %mul.i = shl i64 %dec.i384, 1
  %arrayidx.i209 = getelementptr i64, ptr %add.ptr35, i64 %mul.i
  %74 = load i64, ptr %arrayidx.i209, align 8
  %add.ptr.idx.i = mul i64 %74, 12
  %add.ptr.i210 = getelementptr i8, ptr %67, i64 %add.ptr.idx.i
  %add.i211 = or disjoint i64 %mul.i, 1
  %arrayidx3.i = getelementptr i64, ptr %add.ptr35, i64 %add.i211
  %75 = load i64, ptr %arrayidx3.i, align 8
  %add.ptr5.idx.i = mul i64 %75, 12
  %add.ptr5.i = getelementptr i8, ptr %67, i64 %add.ptr5.idx.i
  %arrayidx8.i = getelementptr i8, ptr %arrayidx.i209, i64 16
  %76 = load i64, ptr %arrayidx8.i, align 8
  %add.ptr10.idx.i = mul i64 %76, 12
  %add.ptr10.i = getelementptr i8, ptr %67, i64 %add.ptr10.idx.i
  %cmp12.i369 = icmp ult ptr %add.ptr.i210, %add.ptr5.i
  br i1 %cmp12.i369, label %for.body13.i, label %for.cond22.i.preheader

for.cond22.i.preheader:                           ; preds = %for.body13.i, %for.body.i208
  %split.0.i.lcssa = phi ptr [ %add.ptr.i210, %for.body.i208 ], [ %add.ptr21.i, %for.body13.i ]
  %dead.0.i.lcssa = phi <16 x i32> [ zeroinitializer, %for.body.i208 ], [ %or.i, %for.body13.i ]
  %cmp23.i377 = icmp ult ptr %split.0.i.lcssa, %add.ptr10.i
  br i1 %cmp23.i377, label %for.body24.i, label %for.end38.i

for.body13.i:                                     ; preds = %for.body.i208, %for.body13.i
  %dead.0.i371 = phi <16 x i32> [ %or.i, %for.body13.i ], [ zeroinitializer, %for.body.i208 ]
  %split.0.i370 = phi ptr [ %add.ptr21.i, %for.body13.i ], [ %add.ptr.i210, %for.body.i208 ]
  %77 = load i32, ptr %split.0.i370, align 4
  %idx.ext.i = sext i32 %77 to i64
  %add.ptr15.i = getelementptr i32, ptr %add.ptr31, i64 %idx.ext.i
  %78 = load <16 x i32>, ptr %add.ptr15.i, align 4
  %arrayidx16.i = getelementptr i8, ptr %split.0.i370, i64 4
  %79 = load i32, ptr %arrayidx16.i, align 4
  %splat.splatinsert.i = insertelement <16 x i32> poison, i32 %79, i64 0
  %splat.splat.i = shufflevector <16 x i32> %splat.splatinsert.i, <16 x i32> poison, <16 x i32> zeroinitializer
  %cmp17.i212 = icmp sgt <16 x i32> %78, %splat.splat.i
  %arrayidx18.i = getelementptr i8, ptr %split.0.i370, i64 8
  %80 = load i32, ptr %arrayidx18.i, align 4
  %splat.splatinsert19.i = insertelement <16 x i32> poison, i32 %80, i64 0
  %splat.splat20.i = shufflevector <16 x i32> %splat.splatinsert19.i, <16 x i32> poison, <16 x i32> zeroinitializer
  %and.i = select <16 x i1> %cmp17.i212, <16 x i32> %splat.splat20.i, <16 x i32> zeroinitializer
  %or.i = or <16 x i32> %and.i, %dead.0.i371
  %add.ptr21.i = getelementptr i8, ptr %split.0.i370, i64 12
  %cmp12.i = icmp ult ptr %add.ptr21.i, %add.ptr5.i
  br i1 %cmp12.i, label %for.body13.i, label %for.cond22.i.preheader, !llvm.loop !11

for.body24.i:                                     ; preds = %for.cond22.i.preheader, %for.body24.i
  %dead.1.i379 = phi <16 x i32> [ %or35.i, %for.body24.i ], [ %dead.0.i.lcssa, %for.cond22.i.preheader ]
  %split.1.i378 = phi ptr [ %add.ptr37.i, %for.body24.i ], [ %split.0.i.lcssa, %for.cond22.i.preheader ]
  %arrayidx25.i = getelementptr i8, ptr %split.1.i378, i64 4
  %81 = load i32, ptr %arrayidx25.i, align 4
  %idx.ext26.i = sext i32 %81 to i64
  %add.ptr27.i = getelementptr i32, ptr %72, i64 %idx.ext26.i
  %82 = load i32, ptr %split.1.i378, align 4
  %idx.ext29.i = sext i32 %82 to i64
  %add.ptr30.i = getelementptr i32, ptr %add.ptr31, i64 %idx.ext29.i
  %83 = load <16 x i32>, ptr %add.ptr30.i, align 4
  %shr.i331 = lshr <16 x i32> %83, <i32 5, i32 5, i32 5, i32 5, i32 5, i32 5, i32 5, i32 5, i32 5, i32 5, i32 5, i32 5, i32 5, i32 5, i32 5, i32 5>
  %84 = load i32, ptr %add.ptr27.i, align 4
  %splat.splatinsert.i332 = insertelement <16 x i32> poison, i32 %84, i64 0
  %splat.splat.i333 = shufflevector <16 x i32> %splat.splatinsert.i332, <16 x i32> poison, <16 x i32> zeroinitializer
  %elt.min.i = tail call <16 x i32> @llvm.umin.v16i32(<16 x i32> %shr.i331, <16 x i32> %splat.splat.i333)
  %invariant.gep = getelementptr i8, ptr %add.ptr27.i, i64 4
  %vecext.i341 = extractelement <16 x i32> %elt.min.i, i64 0
  %85 = zext nneg i32 %vecext.i341 to i64
  %gep374 = getelementptr i32, ptr %invariant.gep, i64 %85
  %86 = load i32, ptr %gep374, align 4
  %vecins.i342 = insertelement <16 x i32> <i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 0, i32 0, i32 0, i32 0, i32 0, i32 0>, i32 %86, i64 0
  %vecext.i341.1 = extractelement <16 x i32> %elt.min.i, i64 1
  %87 = zext nneg i32 %vecext.i341.1 to i64
  %gep374.1 = getelementptr i32, ptr %invariant.gep, i64 %87
  %88 = load i32, ptr %gep374.1, align 4
  %vecins.i342.1 = insertelement <16 x i32> %vecins.i342, i32 %88, i64 1
  %vecext.i341.2 = extractelement <16 x i32> %elt.min.i, i64 2
  %89 = zext nneg i32 %vecext.i341.2 to i64
  %gep374.2 = getelementptr i32, ptr %invariant.gep, i64 %89
  %90 = load i32, ptr %gep374.2, align 4
  %vecins.i342.2 = insertelement <16 x i32> %vecins.i342.1, i32 %90, i64 2
  %vecext.i341.3 = extractelement <16 x i32> %elt.min.i, i64 3
  %91 = zext nneg i32 %vecext.i341.3 to i64
  %gep374.3 = getelementptr i32, ptr %invariant.gep, i64 %91
  %92 = load i32, ptr %gep374.3, align 4
  %vecins.i342.3 = insertelement <16 x i32> %vecins.i342.2, i32 %92, i64 3
  %vecext.i341.4 = extractelement <16 x i32> %elt.min.i, i64 4
  %93 = zext nneg i32 %vecext.i341.4 to i64
  %gep374.4 = getelementptr i32, ptr %invariant.gep, i64 %93
  %94 = load i32, ptr %gep374.4, align 4
  %vecins.i342.4 = insertelement <16 x i32> %vecins.i342.3, i32 %94, i64 4
  %vecext.i341.5 = extractelement <16 x i32> %elt.min.i, i64 5
  %95 = zext nneg i32 %vecext.i341.5 to i64
  %gep374.5 = getelementptr i32, ptr %invariant.gep, i64 %95
  %96 = load i32, ptr %gep374.5, align 4
  %vecins.i342.5 = insertelement <16 x i32> %vecins.i342.4, i32 %96, i64 5
  %vecext.i341.6 = extractelement <16 x i32> %elt.min.i, i64 6
  %97 = zext nneg i32 %vecext.i341.6 to i64
  %gep374.6 = getelementptr i32, ptr %invariant.gep, i64 %97
  %98 = load i32, ptr %gep374.6, align 4
  %vecins.i342.6 = insertelement <16 x i32> %vecins.i342.5, i32 %98, i64 6
  %vecext.i341.7 = extractelement <16 x i32> %elt.min.i, i64 7
  %99 = zext nneg i32 %vecext.i341.7 to i64
  %gep374.7 = getelementptr i32, ptr %invariant.gep, i64 %99
  %100 = load i32, ptr %gep374.7, align 4
  %vecins.i342.7 = insertelement <16 x i32> %vecins.i342.6, i32 %100, i64 7
  %vecext.i341.8 = extractelement <16 x i32> %elt.min.i, i64 8
  %101 = zext nneg i32 %vecext.i341.8 to i64
  %gep374.8 = getelementptr i32, ptr %invariant.gep, i64 %101
  %102 = load i32, ptr %gep374.8, align 4
  %vecins.i342.8 = insertelement <16 x i32> %vecins.i342.7, i32 %102, i64 8
  %vecext.i341.9 = extractelement <16 x i32> %elt.min.i, i64 9
  %103 = zext nneg i32 %vecext.i341.9 to i64
  %gep374.9 = getelementptr i32, ptr %invariant.gep, i64 %103
  %104 = load i32, ptr %gep374.9, align 4
  %vecins.i342.9 = insertelement <16 x i32> %vecins.i342.8, i32 %104, i64 9
  %vecext.i341.10 = extractelement <16 x i32> %elt.min.i, i64 10
  %105 = zext nneg i32 %vecext.i341.10 to i64
  %gep374.10 = getelementptr i32, ptr %invariant.gep, i64 %105
  %106 = load i32, ptr %gep374.10, align 4
  %vecins.i342.10 = insertelement <16 x i32> %vecins.i342.9, i32 %106, i64 10
  %vecext.i341.11 = extractelement <16 x i32> %elt.min.i, i64 11
  %107 = zext nneg i32 %vecext.i341.11 to i64
  %gep374.11 = getelementptr i32, ptr %invariant.gep, i64 %107
  %108 = load i32, ptr %gep374.11, align 4
  %vecins.i342.11 = insertelement <16 x i32> %vecins.i342.10, i32 %108, i64 11
  %vecext.i341.12 = extractelement <16 x i32> %elt.min.i, i64 12
  %109 = zext nneg i32 %vecext.i341.12 to i64
  %gep374.12 = getelementptr i32, ptr %invariant.gep, i64 %109
  %110 = load i32, ptr %gep374.12, align 4
  %vecins.i342.12 = insertelement <16 x i32> %vecins.i342.11, i32 %110, i64 12
  %vecext.i341.13 = extractelement <16 x i32> %elt.min.i, i64 13
  %111 = zext nneg i32 %vecext.i341.13 to i64
  %gep374.13 = getelementptr i32, ptr %invariant.gep, i64 %111
  %112 = load i32, ptr %gep374.13, align 4
  %vecins.i342.13 = insertelement <16 x i32> %vecins.i342.12, i32 %112, i64 13
  %vecext.i341.14 = extractelement <16 x i32> %elt.min.i, i64 14
  %113 = zext nneg i32 %vecext.i341.14 to i64
  %gep374.14 = getelementptr i32, ptr %invariant.gep, i64 %113
  %114 = load i32, ptr %gep374.14, align 4
  %vecins.i342.14 = insertelement <16 x i32> %vecins.i342.13, i32 %114, i64 14
  %vecext.i341.15 = extractelement <16 x i32> %elt.min.i, i64 15
  %115 = zext nneg i32 %vecext.i341.15 to i64
  %gep374.15 = getelementptr i32, ptr %invariant.gep, i64 %115
  %116 = load i32, ptr %gep374.15, align 4
  %vecins.i342.15 = insertelement <16 x i32> %vecins.i342.14, i32 %116, i64 15
  %and.i338 = and <16 x i32> %83, <i32 31, i32 31, i32 31, i32 31, i32 31, i32 31, i32 31, i32 31, i32 31, i32 31, i32 31, i32 31, i32 31, i32 31, i32 31, i32 31>
  %117 = shl nuw <16 x i32> <i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1>, %and.i338
  %118 = and <16 x i32> %vecins.i342.15, %117
  %cmp5.i339 = icmp eq <16 x i32> %118, zeroinitializer
  %cmp6.i = icmp ne <16 x i32> %83, <i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647, i32 2147483647>
  %and816.i = and <16 x i1> %cmp5.i339, %cmp6.i
  %arrayidx31.i = getelementptr i8, ptr %split.1.i378, i64 8
  %119 = load i32, ptr %arrayidx31.i, align 4
  %splat.splatinsert32.i = insertelement <16 x i32> poison, i32 %119, i64 0
  %splat.splat33.i = shufflevector <16 x i32> %splat.splatinsert32.i, <16 x i32> poison, <16 x i32> zeroinitializer
  %and34.i = select <16 x i1> %and816.i, <16 x i32> %splat.splat33.i, <16 x i32> zeroinitializer
  %or35.i = or <16 x i32> %and34.i, %dead.1.i379
  %add.ptr37.i = getelementptr i8, ptr %split.1.i378, i64 12
  %cmp23.i = icmp ult ptr %add.ptr37.i, %add.ptr10.i
  br i1 %cmp23.i, label %for.body24.i, label %for.end38.i, !llvm.loop !12

for.end38.i:                                      ; preds = %for.body24.i, %for.cond22.i.preheader
  %dead.1.i.lcssa = phi <16 x i32> [ %dead.0.i.lcssa, %for.cond22.i.preheader ], [ %or35.i, %for.body24.i ]
  %not.i = xor <16 x i32> %dead.1.i.lcssa, <i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1, i32 -1>
  %add39.i = add <16 x i32> %dead.1.i.lcssa, <i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1, i32 1>
  %and40.i = and <16 x i32> %add39.i, %not.i
  %conv.i = sitofp <16 x i32> %and40.i to <16 x float>
  %120 = bitcast <16 x float> %conv.i to <16 x i32>
  %shr.i = lshr <16 x i32> %120, <i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23, i32 23>
  %and41.i = and <16 x i32> %shr.i, <i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255, i32 255>
  %cmp42.not.i = icmp eq <16 x i32> %and40.i, zeroinitializer
  %dec.tr.i = trunc i64 %dec.i384 to i32
  %conv47.i = shl i32 %dec.tr.i, 5
  %.scalar = add i32 %conv47.i, -127
  %121 = insertelement <16 x i32> poison, i32 %.scalar, i64 0
  %122 = shufflevector <16 x i32> %121, <16 x i32> poison, <16 x i32> zeroinitializer
  %add50.i = add <16 x i32> %and41.i, %122
  %or52.i = select <16 x i1> %cmp42.not.i, <16 x i32> %leaves.0.i383, <16 x i32> %add50.i
  %dec.i = add i64 %dec.i384, -1
  %cmp.not.i = icmp eq i64 %dec.i384, 0
  br i1 %cmp.not.i, label %if.end58, label %for.body.i208, !llvm.loop !13

if.else:                                          ; preds = %for.body29
  %123 = load ptr, ptr %sets, align 8
  %tobool43.not = icmp eq ptr %123, null
  %124 = load ptr, ptr %nodes, align 8
  %125 = load ptr, ptr %roots, align 8
  %arrayidx52 = getelementptr i64, ptr %125, i64 %tree.0412
  %126 = load i64, ptr %arrayidx52, align 8
  %add.ptr53 = getelementptr i64, ptr %124, i64 %126
  br i1 %tobool43.not, label %if.else49, label %if.then44

if.then44:                                        ; preds = %if.else
  %127 = load i64, ptr %shift, align 8
  %128 = load i64, ptr %mask, align 8
  %129 = load i64, ptr %first_set, align 8
  call void @llvm.lifetime.start.p0(i64 64, ptr nonnull %leaves.i) #6
  %node.0.i386 = load i64, ptr %add.ptr53, align 8
  %shr.i216387 = lshr i64 %node.0.i386, 32
  %and.i217388 = and i64 %shr.i216387, %128
  %tobool.not.i389 = icmp eq i64 %and.i217388, 0
  br label %while.cond.i.preheader

while.cond.i.preheader:                           ; preds = %if.then44, %while.end.i
  %indvars.iv432 = phi i64 [ 0, %if.then44 ], [ %indvars.iv.next433, %while.end.i ]
  br i1 %tobool.not.i389, label %while.end.i, label %while.body.i.lr.ph

while.body.i.lr.ph:                               ; preds = %while.cond.i.preheader
  %invariant.gep547 = getelementptr i32, ptr %add.ptr31, i64 %indvars.iv432
  br label %while.body.i

while.body.i:                                     ; preds = %while.body.i.lr.ph, %cond.end.i
  %and.i217391 = phi i64 [ %and.i217388, %while.body.i.lr.ph ], [ %and.i217, %cond.end.i ]
  %node.0.i390 = phi i64 [ %node.0.i386, %while.body.i.lr.ph ], [ %node.0.i, %cond.end.i ]
  %.idx = shl nuw nsw i64 %and.i217391, 6
  %gep548 = getelementptr i8, ptr %invariant.gep547, i64 %.idx
  %130 = load i32, ptr %gep548, align 4
  %cmp2.i = icmp ult i64 %and.i217391, %129
  br i1 %cmp2.i, label %cond.true.i, label %cond.false.i

cond.true.i:                                      ; preds = %while.body.i
  %conv4.i = trunc i64 %node.0.i390 to i32
  %cmp5.i = icmp sgt i32 %130, %conv4.i
  %conv7.i = zext i1 %cmp5.i to i64
  br label %cond.end.i

cond.false.i:                                     ; preds = %while.body.i
  %idx.ext.i221 = and i64 %node.0.i390, 4294967295
  %add.ptr.i222 = getelementptr i32, ptr %123, i64 %idx.ext.i221
  %div8.i = lshr i32 %130, 5
  %cmp.not.i344 = icmp eq i32 %130, 2147483647
  br i1 %cmp.not.i344, label %cond.end.i, label %land.rhs.i

land.rhs.i:                                       ; preds = %cond.false.i
  %131 = load i32, ptr %add.ptr.i222, align 4
  %cmp1.not.i = icmp ult i32 %div8.i, %131
  br i1 %cmp1.not.i, label %lor.rhs.i, label %cond.end.i

lor.rhs.i:                                        ; preds = %land.rhs.i
  %132 = zext nneg i32 %div8.i to i64
  %133 = getelementptr i32, ptr %add.ptr.i222, i64 %132
  %arrayidx2.i345 = getelementptr i8, ptr %133, i64 4
  %134 = load i32, ptr %arrayidx2.i345, align 4
  %and.i346 = and i32 %130, 31
  %135 = xor i32 %134, -1
  %136 = lshr i32 %135, %and.i346
  %137 = and i32 %136, 1
  %138 = zext nneg i32 %137 to i64
  br label %cond.end.i

cond.end.i:                                       ; preds = %lor.rhs.i, %land.rhs.i, %cond.false.i, %cond.true.i
  %cond.i224 = phi i64 [ %conv7.i, %cond.true.i ], [ 0, %cond.false.i ], [ 1, %land.rhs.i ], [ %138, %lor.rhs.i ]
  %shr9.i = lshr i64 %node.0.i390, %127
  %139 = getelementptr i64, ptr %add.ptr53, i64 %shr9.i
  %arrayidx11.i225 = getelementptr i64, ptr %139, i64 %cond.i224
  %node.0.i = load i64, ptr %arrayidx11.i225, align 8
  %shr.i216 = lshr i64 %node.0.i, 32
  %and.i217 = and i64 %shr.i216, %128
  %tobool.not.i = icmp eq i64 %and.i217, 0
  br i1 %tobool.not.i, label %while.end.i, label %while.body.i, !llvm.loop !14

while.end.i:                                      ; preds = %cond.end.i, %while.cond.i.preheader
  %node.0.i.lcssa = phi i64 [ %node.0.i386, %while.cond.i.preheader ], [ %node.0.i, %cond.end.i ]
  %conv12.i = trunc i64 %node.0.i.lcssa to i32
  %arrayidx13.i = getelementptr [16 x i32], ptr %leaves.i, i64 0, i64 %indvars.iv432
  store i32 %conv12.i, ptr %arrayidx13.i, align 4
  %indvars.iv.next433 = add nuw nsw i64 %indvars.iv432, 1
  %exitcond435.not = icmp eq i64 %indvars.iv.next433, 16
  br i1 %exitcond435.not, label %leaves_by_sets.exit, label %while.cond.i.preheader, !llvm.loop !15

leaves_by_sets.exit:                              ; preds = %while.end.i
  %140 = load <16 x i32>, ptr %leaves.i, align 16
  call void @llvm.lifetime.end.p0(i64 64, ptr nonnull %leaves.i) #6
  br label %if.end58

if.else49:                                        ; preds = %if.else
  %141 = load ptr, ptr %steps, align 8
  %arrayidx54 = getelementptr i64, ptr %141, i64 %tree.0412
  %142 = load i64, ptr %arrayidx54, align 8
  %143 = load i64, ptr %shift, align 8
  %144 = load i64, ptr %mask, align 8
  %145 = load i64, ptr %add.ptr53, align 8
  %cmp3.i399.not = icmp eq i64 %142, 0
  br i1 %cmp3.i399.not, label %cleanup52.i, label %for.cond6.i.preheader.preheader

for.cond6.i.preheader.preheader:                  ; preds = %if.else49
  %invariant.gep549 = getelementptr i8, ptr %add.ptr31, i64 4
  %invariant.gep551 = getelementptr i8, ptr %add.ptr31, i64 8
  %invariant.gep553 = getelementptr i8, ptr %add.ptr31, i64 12
  %invariant.gep555 = getelementptr i8, ptr %add.ptr31, i64 16
  %invariant.gep557 = getelementptr i8, ptr %add.ptr31, i64 20
  %invariant.gep559 = getelementptr i8, ptr %add.ptr31, i64 24
  %invariant.gep561 = getelementptr i8, ptr %add.ptr31, i64 28
  %invariant.gep563 = getelementptr i8, ptr %add.ptr31, i64 32
  %invariant.gep565 = getelementptr i8, ptr %add.ptr31, i64 36
  %invariant.gep567 = getelementptr i8, ptr %add.ptr31, i64 40
  %invariant.gep569 = getelementptr i8, ptr %add.ptr31, i64 44
  %invariant.gep571 = getelementptr i8, ptr %add.ptr31, i64 48
  %invariant.gep573 = getelementptr i8, ptr %add.ptr31, i64 52
  %invariant.gep575 = getelementptr i8, ptr %add.ptr31, i64 56
  %invariant.gep577 = getelementptr i8, ptr %add.ptr31, i64 60
  %invariant.gep579 = getelementptr i8, ptr %add.ptr31, i64 4
  %invariant.gep581 = getelementptr i8, ptr %add.ptr31, i64 8
  %invariant.gep583 = getelementptr i8, ptr %add.ptr31, i64 12
  %invariant.gep585 = getelementptr i8, ptr %add.ptr31, i64 16
  %invariant.gep587 = getelementptr i8, ptr %add.ptr31, i64 20
  %invariant.gep589 = getelementptr i8, ptr %add.ptr31, i64 24
  %invariant.gep591 = getelementptr i8, ptr %add.ptr31, i64 28
  %invariant.gep593 = getelementptr i8, ptr %add.ptr31, i64 32
  %invariant.gep595 = getelementptr i8, ptr %add.ptr31, i64 36
  %invariant.gep597 = getelementptr i8, ptr %add.ptr31, i64 40
  %invariant.gep599 = getelementptr i8, ptr %add.ptr31, i64 44
  %invariant.gep601 = getelementptr i8, ptr %add.ptr31, i64 48
  %invariant.gep603 = getelementptr i8, ptr %add.ptr31, i64 52
  %invariant.gep605 = getelementptr i8, ptr %add.ptr31, i64 56
  %invariant.gep607 = getelementptr i8, ptr %add.ptr31, i64 60
  br label %for.cond6.i.preheader

for.cond6.i.preheader:                            ; preds = %for.cond6.i.preheader.preheader, %for.cond6.i.preheader
  %node.i.sroa.107.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %243, %for.cond6.i.preheader ]
  %node.i.sroa.100.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %240, %for.cond6.i.preheader ]
  %node.i.sroa.93.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %237, %for.cond6.i.preheader ]
  %node.i.sroa.86.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %234, %for.cond6.i.preheader ]
  %node.i.sroa.79.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %231, %for.cond6.i.preheader ]
  %node.i.sroa.72.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %228, %for.cond6.i.preheader ]
  %node.i.sroa.65.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %225, %for.cond6.i.preheader ]
  %node.i.sroa.58.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %222, %for.cond6.i.preheader ]
  %node.i.sroa.51.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %219, %for.cond6.i.preheader ]
  %node.i.sroa.44.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %216, %for.cond6.i.preheader ]
  %node.i.sroa.37.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %213, %for.cond6.i.preheader ]
  %node.i.sroa.30.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %210, %for.cond6.i.preheader ]
  %node.i.sroa.23.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %207, %for.cond6.i.preheader ]
  %node.i.sroa.16.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %204, %for.cond6.i.preheader ]
  %node.i.sroa.9.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %201, %for.cond6.i.preheader ]
  %node.i.sroa.0.0 = phi i64 [ %145, %for.cond6.i.preheader.preheader ], [ %198, %for.cond6.i.preheader ]
  %step.0.i400 = phi i64 [ 0, %for.cond6.i.preheader.preheader ], [ %add51.i, %for.cond6.i.preheader ]
  %shr.i236 = lshr i64 %node.i.sroa.0.0, 32
  %and.i237 = and i64 %shr.i236, %144
  %.idx419 = shl nuw nsw i64 %and.i237, 6
  %146 = getelementptr i8, ptr %add.ptr31, i64 %.idx419
  %147 = load i32, ptr %146, align 4
  %conv20.i = trunc i64 %node.i.sroa.0.0 to i32
  %cmp21.i = icmp sgt i32 %147, %conv20.i
  %conv23.i = zext i1 %cmp21.i to i64
  %shr26.i = lshr i64 %node.i.sroa.0.0, %143
  %148 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i
  %arrayidx28.i = getelementptr i64, ptr %148, i64 %conv23.i
  %149 = load i64, ptr %arrayidx28.i, align 8
  %shr.i236.1 = lshr i64 %node.i.sroa.9.0, 32
  %and.i237.1 = and i64 %shr.i236.1, %144
  %.idx419.1 = shl nuw nsw i64 %and.i237.1, 6
  %gep550 = getelementptr i8, ptr %invariant.gep549, i64 %.idx419.1
  %150 = load i32, ptr %gep550, align 4
  %conv20.i.1 = trunc i64 %node.i.sroa.9.0 to i32
  %cmp21.i.1 = icmp sgt i32 %150, %conv20.i.1
  %conv23.i.1 = zext i1 %cmp21.i.1 to i64
  %shr26.i.1 = lshr i64 %node.i.sroa.9.0, %143
  %151 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.1
  %arrayidx28.i.1 = getelementptr i64, ptr %151, i64 %conv23.i.1
  %152 = load i64, ptr %arrayidx28.i.1, align 8
  %shr.i236.2 = lshr i64 %node.i.sroa.16.0, 32
  %and.i237.2 = and i64 %shr.i236.2, %144
  %.idx419.2 = shl nuw nsw i64 %and.i237.2, 6
  %gep552 = getelementptr i8, ptr %invariant.gep551, i64 %.idx419.2
  %153 = load i32, ptr %gep552, align 4
  %conv20.i.2 = trunc i64 %node.i.sroa.16.0 to i32
  %cmp21.i.2 = icmp sgt i32 %153, %conv20.i.2
  %conv23.i.2 = zext i1 %cmp21.i.2 to i64
  %shr26.i.2 = lshr i64 %node.i.sroa.16.0, %143
  %154 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.2
  %arrayidx28.i.2 = getelementptr i64, ptr %154, i64 %conv23.i.2
  %155 = load i64, ptr %arrayidx28.i.2, align 8
  %shr.i236.3 = lshr i64 %node.i.sroa.23.0, 32
  %and.i237.3 = and i64 %shr.i236.3, %144
  %.idx419.3 = shl nuw nsw i64 %and.i237.3, 6
  %gep554 = getelementptr i8, ptr %invariant.gep553, i64 %.idx419.3
  %156 = load i32, ptr %gep554, align 4
  %conv20.i.3 = trunc i64 %node.i.sroa.23.0 to i32
  %cmp21.i.3 = icmp sgt i32 %156, %conv20.i.3
  %conv23.i.3 = zext i1 %cmp21.i.3 to i64
  %shr26.i.3 = lshr i64 %node.i.sroa.23.0, %143
  %157 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.3
  %arrayidx28.i.3 = getelementptr i64, ptr %157, i64 %conv23.i.3
  %158 = load i64, ptr %arrayidx28.i.3, align 8
  %shr.i236.4 = lshr i64 %node.i.sroa.30.0, 32
  %and.i237.4 = and i64 %shr.i236.4, %144
  %.idx419.4 = shl nuw nsw i64 %and.i237.4, 6
  %gep556 = getelementptr i8, ptr %invariant.gep555, i64 %.idx419.4
  %159 = load i32, ptr %gep556, align 4
  %conv20.i.4 = trunc i64 %node.i.sroa.30.0 to i32
  %cmp21.i.4 = icmp sgt i32 %159, %conv20.i.4
  %conv23.i.4 = zext i1 %cmp21.i.4 to i64
  %shr26.i.4 = lshr i64 %node.i.sroa.30.0, %143
  %160 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.4
  %arrayidx28.i.4 = getelementptr i64, ptr %160, i64 %conv23.i.4
  %161 = load i64, ptr %arrayidx28.i.4, align 8
  %shr.i236.5 = lshr i64 %node.i.sroa.37.0, 32
  %and.i237.5 = and i64 %shr.i236.5, %144
  %.idx419.5 = shl nuw nsw i64 %and.i237.5, 6
  %gep558 = getelementptr i8, ptr %invariant.gep557, i64 %.idx419.5
  %162 = load i32, ptr %gep558, align 4
  %conv20.i.5 = trunc i64 %node.i.sroa.37.0 to i32
  %cmp21.i.5 = icmp sgt i32 %162, %conv20.i.5
  %conv23.i.5 = zext i1 %cmp21.i.5 to i64
  %shr26.i.5 = lshr i64 %node.i.sroa.37.0, %143
  %163 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.5
  %arrayidx28.i.5 = getelementptr i64, ptr %163, i64 %conv23.i.5
  %164 = load i64, ptr %arrayidx28.i.5, align 8
  %shr.i236.6 = lshr i64 %node.i.sroa.44.0, 32
  %and.i237.6 = and i64 %shr.i236.6, %144
  %.idx419.6 = shl nuw nsw i64 %and.i237.6, 6
  %gep560 = getelementptr i8, ptr %invariant.gep559, i64 %.idx419.6
  %165 = load i32, ptr %gep560, align 4
  %conv20.i.6 = trunc i64 %node.i.sroa.44.0 to i32
  %cmp21.i.6 = icmp sgt i32 %165, %conv20.i.6
  %conv23.i.6 = zext i1 %cmp21.i.6 to i64
  %shr26.i.6 = lshr i64 %node.i.sroa.44.0, %143
  %166 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.6
  %arrayidx28.i.6 = getelementptr i64, ptr %166, i64 %conv23.i.6
  %167 = load i64, ptr %arrayidx28.i.6, align 8
  %shr.i236.7 = lshr i64 %node.i.sroa.51.0, 32
  %and.i237.7 = and i64 %shr.i236.7, %144
  %.idx419.7 = shl nuw nsw i64 %and.i237.7, 6
  %gep562 = getelementptr i8, ptr %invariant.gep561, i64 %.idx419.7
  %168 = load i32, ptr %gep562, align 4
  %conv20.i.7 = trunc i64 %node.i.sroa.51.0 to i32
  %cmp21.i.7 = icmp sgt i32 %168, %conv20.i.7
  %conv23.i.7 = zext i1 %cmp21.i.7 to i64
  %shr26.i.7 = lshr i64 %node.i.sroa.51.0, %143
  %169 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.7
  %arrayidx28.i.7 = getelementptr i64, ptr %169, i64 %conv23.i.7
  %170 = load i64, ptr %arrayidx28.i.7, align 8
  %shr.i236.8 = lshr i64 %node.i.sroa.58.0, 32
  %and.i237.8 = and i64 %shr.i236.8, %144
  %.idx419.8 = shl nuw nsw i64 %and.i237.8, 6
  %gep564 = getelementptr i8, ptr %invariant.gep563, i64 %.idx419.8
  %171 = load i32, ptr %gep564, align 4
  %conv20.i.8 = trunc i64 %node.i.sroa.58.0 to i32
  %cmp21.i.8 = icmp sgt i32 %171, %conv20.i.8
  %conv23.i.8 = zext i1 %cmp21.i.8 to i64
  %shr26.i.8 = lshr i64 %node.i.sroa.58.0, %143
  %172 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.8
  %arrayidx28.i.8 = getelementptr i64, ptr %172, i64 %conv23.i.8
  %173 = load i64, ptr %arrayidx28.i.8, align 8
  %shr.i236.9 = lshr i64 %node.i.sroa.65.0, 32
  %and.i237.9 = and i64 %shr.i236.9, %144
  %.idx419.9 = shl nuw nsw i64 %and.i237.9, 6
  %gep566 = getelementptr i8, ptr %invariant.gep565, i64 %.idx419.9
  %174 = load i32, ptr %gep566, align 4
  %conv20.i.9 = trunc i64 %node.i.sroa.65.0 to i32
  %cmp21.i.9 = icmp sgt i32 %174, %conv20.i.9
  %conv23.i.9 = zext i1 %cmp21.i.9 to i64
  %shr26.i.9 = lshr i64 %node.i.sroa.65.0, %143
  %175 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.9
  %arrayidx28.i.9 = getelementptr i64, ptr %175, i64 %conv23.i.9
  %176 = load i64, ptr %arrayidx28.i.9, align 8
  %shr.i236.10 = lshr i64 %node.i.sroa.72.0, 32
  %and.i237.10 = and i64 %shr.i236.10, %144
  %.idx419.10 = shl nuw nsw i64 %and.i237.10, 6
  %gep568 = getelementptr i8, ptr %invariant.gep567, i64 %.idx419.10
  %177 = load i32, ptr %gep568, align 4
  %conv20.i.10 = trunc i64 %node.i.sroa.72.0 to i32
  %cmp21.i.10 = icmp sgt i32 %177, %conv20.i.10
  %conv23.i.10 = zext i1 %cmp21.i.10 to i64
  %shr26.i.10 = lshr i64 %node.i.sroa.72.0, %143
  %178 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.10
  %arrayidx28.i.10 = getelementptr i64, ptr %178, i64 %conv23.i.10
  %179 = load i64, ptr %arrayidx28.i.10, align 8
  %shr.i236.11 = lshr i64 %node.i.sroa.79.0, 32
  %and.i237.11 = and i64 %shr.i236.11, %144
  %.idx419.11 = shl nuw nsw i64 %and.i237.11, 6
  %gep570 = getelementptr i8, ptr %invariant.gep569, i64 %.idx419.11
  %180 = load i32, ptr %gep570, align 4
  %conv20.i.11 = trunc i64 %node.i.sroa.79.0 to i32
  %cmp21.i.11 = icmp sgt i32 %180, %conv20.i.11
  %conv23.i.11 = zext i1 %cmp21.i.11 to i64
  %shr26.i.11 = lshr i64 %node.i.sroa.79.0, %143
  %181 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.11
  %arrayidx28.i.11 = getelementptr i64, ptr %181, i64 %conv23.i.11
  %182 = load i64, ptr %arrayidx28.i.11, align 8
  %shr.i236.12 = lshr i64 %node.i.sroa.86.0, 32
  %and.i237.12 = and i64 %shr.i236.12, %144
  %.idx419.12 = shl nuw nsw i64 %and.i237.12, 6
  %gep572 = getelementptr i8, ptr %invariant.gep571, i64 %.idx419.12
  %183 = load i32, ptr %gep572, align 4
  %conv20.i.12 = trunc i64 %node.i.sroa.86.0 to i32
  %cmp21.i.12 = icmp sgt i32 %183, %conv20.i.12
  %conv23.i.12 = zext i1 %cmp21.i.12 to i64
  %shr26.i.12 = lshr i64 %node.i.sroa.86.0, %143
  %184 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.12
  %arrayidx28.i.12 = getelementptr i64, ptr %184, i64 %conv23.i.12
  %185 = load i64, ptr %arrayidx28.i.12, align 8
  %shr.i236.13 = lshr i64 %node.i.sroa.93.0, 32
  %and.i237.13 = and i64 %shr.i236.13, %144
  %.idx419.13 = shl nuw nsw i64 %and.i237.13, 6
  %gep574 = getelementptr i8, ptr %invariant.gep573, i64 %.idx419.13
  %186 = load i32, ptr %gep574, align 4
  %conv20.i.13 = trunc i64 %node.i.sroa.93.0 to i32
  %cmp21.i.13 = icmp sgt i32 %186, %conv20.i.13
  %conv23.i.13 = zext i1 %cmp21.i.13 to i64
  %shr26.i.13 = lshr i64 %node.i.sroa.93.0, %143
  %187 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.13
  %arrayidx28.i.13 = getelementptr i64, ptr %187, i64 %conv23.i.13
  %188 = load i64, ptr %arrayidx28.i.13, align 8
  %shr.i236.14 = lshr i64 %node.i.sroa.100.0, 32
  %and.i237.14 = and i64 %shr.i236.14, %144
  %.idx419.14 = shl nuw nsw i64 %and.i237.14, 6
  %gep576 = getelementptr i8, ptr %invariant.gep575, i64 %.idx419.14
  %189 = load i32, ptr %gep576, align 4
  %conv20.i.14 = trunc i64 %node.i.sroa.100.0 to i32
  %cmp21.i.14 = icmp sgt i32 %189, %conv20.i.14
  %conv23.i.14 = zext i1 %cmp21.i.14 to i64
  %shr26.i.14 = lshr i64 %node.i.sroa.100.0, %143
  %190 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.14
  %arrayidx28.i.14 = getelementptr i64, ptr %190, i64 %conv23.i.14
  %191 = load i64, ptr %arrayidx28.i.14, align 8
  %shr.i236.15 = lshr i64 %node.i.sroa.107.0, 32
  %and.i237.15 = and i64 %shr.i236.15, %144
  %.idx419.15 = shl nuw nsw i64 %and.i237.15, 6
  %gep578 = getelementptr i8, ptr %invariant.gep577, i64 %.idx419.15
  %192 = load i32, ptr %gep578, align 4
  %conv20.i.15 = trunc i64 %node.i.sroa.107.0 to i32
  %cmp21.i.15 = icmp sgt i32 %192, %conv20.i.15
  %conv23.i.15 = zext i1 %cmp21.i.15 to i64
  %shr26.i.15 = lshr i64 %node.i.sroa.107.0, %143
  %193 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.15
  %arrayidx28.i.15 = getelementptr i64, ptr %193, i64 %conv23.i.15
  %194 = load i64, ptr %arrayidx28.i.15, align 8
  %shr.i236.1444 = lshr i64 %149, 32
  %and.i237.1445 = and i64 %shr.i236.1444, %144
  %.idx419.1446 = shl nuw nsw i64 %and.i237.1445, 6
  %195 = getelementptr i8, ptr %add.ptr31, i64 %.idx419.1446
  %196 = load i32, ptr %195, align 4
  %conv20.i.1447 = trunc i64 %149 to i32
  %cmp21.i.1448 = icmp sgt i32 %196, %conv20.i.1447
  %conv23.i.1449 = zext i1 %cmp21.i.1448 to i64
  %shr26.i.1450 = lshr i64 %149, %143
  %197 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.1450
  %arrayidx28.i.1451 = getelementptr i64, ptr %197, i64 %conv23.i.1449
  %198 = load i64, ptr %arrayidx28.i.1451, align 8
  %shr.i236.1.1 = lshr i64 %152, 32
  %and.i237.1.1 = and i64 %shr.i236.1.1, %144
  %.idx419.1.1 = shl nuw nsw i64 %and.i237.1.1, 6
  %gep580 = getelementptr i8, ptr %invariant.gep579, i64 %.idx419.1.1
  %199 = load i32, ptr %gep580, align 4
  %conv20.i.1.1 = trunc i64 %152 to i32
  %cmp21.i.1.1 = icmp sgt i32 %199, %conv20.i.1.1
  %conv23.i.1.1 = zext i1 %cmp21.i.1.1 to i64
  %shr26.i.1.1 = lshr i64 %152, %143
  %200 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.1.1
  %arrayidx28.i.1.1 = getelementptr i64, ptr %200, i64 %conv23.i.1.1
  %201 = load i64, ptr %arrayidx28.i.1.1, align 8
  %shr.i236.2.1 = lshr i64 %155, 32
  %and.i237.2.1 = and i64 %shr.i236.2.1, %144
  %.idx419.2.1 = shl nuw nsw i64 %and.i237.2.1, 6
  %gep582 = getelementptr i8, ptr %invariant.gep581, i64 %.idx419.2.1
  %202 = load i32, ptr %gep582, align 4
  %conv20.i.2.1 = trunc i64 %155 to i32
  %cmp21.i.2.1 = icmp sgt i32 %202, %conv20.i.2.1
  %conv23.i.2.1 = zext i1 %cmp21.i.2.1 to i64
  %shr26.i.2.1 = lshr i64 %155, %143
  %203 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.2.1
  %arrayidx28.i.2.1 = getelementptr i64, ptr %203, i64 %conv23.i.2.1
  %204 = load i64, ptr %arrayidx28.i.2.1, align 8
  %shr.i236.3.1 = lshr i64 %158, 32
  %and.i237.3.1 = and i64 %shr.i236.3.1, %144
  %.idx419.3.1 = shl nuw nsw i64 %and.i237.3.1, 6
  %gep584 = getelementptr i8, ptr %invariant.gep583, i64 %.idx419.3.1
  %205 = load i32, ptr %gep584, align 4
  %conv20.i.3.1 = trunc i64 %158 to i32
  %cmp21.i.3.1 = icmp sgt i32 %205, %conv20.i.3.1
  %conv23.i.3.1 = zext i1 %cmp21.i.3.1 to i64
  %shr26.i.3.1 = lshr i64 %158, %143
  %206 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.3.1
  %arrayidx28.i.3.1 = getelementptr i64, ptr %206, i64 %conv23.i.3.1
  %207 = load i64, ptr %arrayidx28.i.3.1, align 8
  %shr.i236.4.1 = lshr i64 %161, 32
  %and.i237.4.1 = and i64 %shr.i236.4.1, %144
  %.idx419.4.1 = shl nuw nsw i64 %and.i237.4.1, 6
  %gep586 = getelementptr i8, ptr %invariant.gep585, i64 %.idx419.4.1
  %208 = load i32, ptr %gep586, align 4
  %conv20.i.4.1 = trunc i64 %161 to i32
  %cmp21.i.4.1 = icmp sgt i32 %208, %conv20.i.4.1
  %conv23.i.4.1 = zext i1 %cmp21.i.4.1 to i64
  %shr26.i.4.1 = lshr i64 %161, %143
  %209 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.4.1
  %arrayidx28.i.4.1 = getelementptr i64, ptr %209, i64 %conv23.i.4.1
  %210 = load i64, ptr %arrayidx28.i.4.1, align 8
  %shr.i236.5.1 = lshr i64 %164, 32
  %and.i237.5.1 = and i64 %shr.i236.5.1, %144
  %.idx419.5.1 = shl nuw nsw i64 %and.i237.5.1, 6
  %gep588 = getelementptr i8, ptr %invariant.gep587, i64 %.idx419.5.1
  %211 = load i32, ptr %gep588, align 4
  %conv20.i.5.1 = trunc i64 %164 to i32
  %cmp21.i.5.1 = icmp sgt i32 %211, %conv20.i.5.1
  %conv23.i.5.1 = zext i1 %cmp21.i.5.1 to i64
  %shr26.i.5.1 = lshr i64 %164, %143
  %212 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.5.1
  %arrayidx28.i.5.1 = getelementptr i64, ptr %212, i64 %conv23.i.5.1
  %213 = load i64, ptr %arrayidx28.i.5.1, align 8
  %shr.i236.6.1 = lshr i64 %167, 32
  %and.i237.6.1 = and i64 %shr.i236.6.1, %144
  %.idx419.6.1 = shl nuw nsw i64 %and.i237.6.1, 6
  %gep590 = getelementptr i8, ptr %invariant.gep589, i64 %.idx419.6.1
  %214 = load i32, ptr %gep590, align 4
  %conv20.i.6.1 = trunc i64 %167 to i32
  %cmp21.i.6.1 = icmp sgt i32 %214, %conv20.i.6.1
  %conv23.i.6.1 = zext i1 %cmp21.i.6.1 to i64
  %shr26.i.6.1 = lshr i64 %167, %143
  %215 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.6.1
  %arrayidx28.i.6.1 = getelementptr i64, ptr %215, i64 %conv23.i.6.1
  %216 = load i64, ptr %arrayidx28.i.6.1, align 8
  %shr.i236.7.1 = lshr i64 %170, 32
  %and.i237.7.1 = and i64 %shr.i236.7.1, %144
  %.idx419.7.1 = shl nuw nsw i64 %and.i237.7.1, 6
  %gep592 = getelementptr i8, ptr %invariant.gep591, i64 %.idx419.7.1
  %217 = load i32, ptr %gep592, align 4
  %conv20.i.7.1 = trunc i64 %170 to i32
  %cmp21.i.7.1 = icmp sgt i32 %217, %conv20.i.7.1
  %conv23.i.7.1 = zext i1 %cmp21.i.7.1 to i64
  %shr26.i.7.1 = lshr i64 %170, %143
  %218 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.7.1
  %arrayidx28.i.7.1 = getelementptr i64, ptr %218, i64 %conv23.i.7.1
  %219 = load i64, ptr %arrayidx28.i.7.1, align 8
  %shr.i236.8.1 = lshr i64 %173, 32
  %and.i237.8.1 = and i64 %shr.i236.8.1, %144
  %.idx419.8.1 = shl nuw nsw i64 %and.i237.8.1, 6
  %gep594 = getelementptr i8, ptr %invariant.gep593, i64 %.idx419.8.1
  %220 = load i32, ptr %gep594, align 4
  %conv20.i.8.1 = trunc i64 %173 to i32
  %cmp21.i.8.1 = icmp sgt i32 %220, %conv20.i.8.1
  %conv23.i.8.1 = zext i1 %cmp21.i.8.1 to i64
  %shr26.i.8.1 = lshr i64 %173, %143
  %221 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.8.1
  %arrayidx28.i.8.1 = getelementptr i64, ptr %221, i64 %conv23.i.8.1
  %222 = load i64, ptr %arrayidx28.i.8.1, align 8
  %shr.i236.9.1 = lshr i64 %176, 32
  %and.i237.9.1 = and i64 %shr.i236.9.1, %144
  %.idx419.9.1 = shl nuw nsw i64 %and.i237.9.1, 6
  %gep596 = getelementptr i8, ptr %invariant.gep595, i64 %.idx419.9.1
  %223 = load i32, ptr %gep596, align 4
  %conv20.i.9.1 = trunc i64 %176 to i32
  %cmp21.i.9.1 = icmp sgt i32 %223, %conv20.i.9.1
  %conv23.i.9.1 = zext i1 %cmp21.i.9.1 to i64
  %shr26.i.9.1 = lshr i64 %176, %143
  %224 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.9.1
  %arrayidx28.i.9.1 = getelementptr i64, ptr %224, i64 %conv23.i.9.1
  %225 = load i64, ptr %arrayidx28.i.9.1, align 8
  %shr.i236.10.1 = lshr i64 %179, 32
  %and.i237.10.1 = and i64 %shr.i236.10.1, %144
  %.idx419.10.1 = shl nuw nsw i64 %and.i237.10.1, 6
  %gep598 = getelementptr i8, ptr %invariant.gep597, i64 %.idx419.10.1
  %226 = load i32, ptr %gep598, align 4
  %conv20.i.10.1 = trunc i64 %179 to i32
  %cmp21.i.10.1 = icmp sgt i32 %226, %conv20.i.10.1
  %conv23.i.10.1 = zext i1 %cmp21.i.10.1 to i64
  %shr26.i.10.1 = lshr i64 %179, %143
  %227 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.10.1
  %arrayidx28.i.10.1 = getelementptr i64, ptr %227, i64 %conv23.i.10.1
  %228 = load i64, ptr %arrayidx28.i.10.1, align 8
  %shr.i236.11.1 = lshr i64 %182, 32
  %and.i237.11.1 = and i64 %shr.i236.11.1, %144
  %.idx419.11.1 = shl nuw nsw i64 %and.i237.11.1, 6
  %gep600 = getelementptr i8, ptr %invariant.gep599, i64 %.idx419.11.1
  %229 = load i32, ptr %gep600, align 4
  %conv20.i.11.1 = trunc i64 %182 to i32
  %cmp21.i.11.1 = icmp sgt i32 %229, %conv20.i.11.1
  %conv23.i.11.1 = zext i1 %cmp21.i.11.1 to i64
  %shr26.i.11.1 = lshr i64 %182, %143
  %230 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.11.1
  %arrayidx28.i.11.1 = getelementptr i64, ptr %230, i64 %conv23.i.11.1
  %231 = load i64, ptr %arrayidx28.i.11.1, align 8
  %shr.i236.12.1 = lshr i64 %185, 32
  %and.i237.12.1 = and i64 %shr.i236.12.1, %144
  %.idx419.12.1 = shl nuw nsw i64 %and.i237.12.1, 6
  %gep602 = getelementptr i8, ptr %invariant.gep601, i64 %.idx419.12.1
  %232 = load i32, ptr %gep602, align 4
  %conv20.i.12.1 = trunc i64 %185 to i32
  %cmp21.i.12.1 = icmp sgt i32 %232, %conv20.i.12.1
  %conv23.i.12.1 = zext i1 %cmp21.i.12.1 to i64
  %shr26.i.12.1 = lshr i64 %185, %143
  %233 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.12.1
  %arrayidx28.i.12.1 = getelementptr i64, ptr %233, i64 %conv23.i.12.1
  %234 = load i64, ptr %arrayidx28.i.12.1, align 8
  %shr.i236.13.1 = lshr i64 %188, 32
  %and.i237.13.1 = and i64 %shr.i236.13.1, %144
  %.idx419.13.1 = shl nuw nsw i64 %and.i237.13.1, 6
  %gep604 = getelementptr i8, ptr %invariant.gep603, i64 %.idx419.13.1
  %235 = load i32, ptr %gep604, align 4
  %conv20.i.13.1 = trunc i64 %188 to i32
  %cmp21.i.13.1 = icmp sgt i32 %235, %conv20.i.13.1
  %conv23.i.13.1 = zext i1 %cmp21.i.13.1 to i64
  %shr26.i.13.1 = lshr i64 %188, %143
  %236 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.13.1
  %arrayidx28.i.13.1 = getelementptr i64, ptr %236, i64 %conv23.i.13.1
  %237 = load i64, ptr %arrayidx28.i.13.1, align 8
  %shr.i236.14.1 = lshr i64 %191, 32
  %and.i237.14.1 = and i64 %shr.i236.14.1, %144
  %.idx419.14.1 = shl nuw nsw i64 %and.i237.14.1, 6
  %gep606 = getelementptr i8, ptr %invariant.gep605, i64 %.idx419.14.1
  %238 = load i32, ptr %gep606, align 4
  %conv20.i.14.1 = trunc i64 %191 to i32
  %cmp21.i.14.1 = icmp sgt i32 %238, %conv20.i.14.1
  %conv23.i.14.1 = zext i1 %cmp21.i.14.1 to i64
  %shr26.i.14.1 = lshr i64 %191, %143
  %239 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.14.1
  %arrayidx28.i.14.1 = getelementptr i64, ptr %239, i64 %conv23.i.14.1
  %240 = load i64, ptr %arrayidx28.i.14.1, align 8
  %shr.i236.15.1 = lshr i64 %194, 32
  %and.i237.15.1 = and i64 %shr.i236.15.1, %144
  %.idx419.15.1 = shl nuw nsw i64 %and.i237.15.1, 6
  %gep608 = getelementptr i8, ptr %invariant.gep607, i64 %.idx419.15.1
  %241 = load i32, ptr %gep608, align 4
  %conv20.i.15.1 = trunc i64 %194 to i32
  %cmp21.i.15.1 = icmp sgt i32 %241, %conv20.i.15.1
  %conv23.i.15.1 = zext i1 %cmp21.i.15.1 to i64
  %shr26.i.15.1 = lshr i64 %194, %143
  %242 = getelementptr i64, ptr %add.ptr53, i64 %shr26.i.15.1
  %arrayidx28.i.15.1 = getelementptr i64, ptr %242, i64 %conv23.i.15.1
  %243 = load i64, ptr %arrayidx28.i.15.1, align 8
  %shr45.i.1516 = or i64 %201, %198
  %shr45.i.2517 = or i64 %204, %shr45.i.1516
  %shr45.i.3518 = or i64 %207, %shr45.i.2517
  %shr45.i.4519 = or i64 %210, %shr45.i.3518
  %shr45.i.5520 = or i64 %213, %shr45.i.4519
  %shr45.i.6521 = or i64 %216, %shr45.i.5520
  %shr45.i.7522 = or i64 %219, %shr45.i.6521
  %shr45.i.8523 = or i64 %222, %shr45.i.7522
  %shr45.i.9524 = or i64 %225, %shr45.i.8523
  %shr45.i.10525 = or i64 %228, %shr45.i.9524
  %shr45.i.11526 = or i64 %231, %shr45.i.10525
  %shr45.i.12527 = or i64 %234, %shr45.i.11526
  %shr45.i.13528 = or i64 %237, %shr45.i.12527
  %shr45.i.14529 = or i64 %240, %shr45.i.13528
  %shr45.i.15530 = or i64 %243, %shr45.i.14529
  %or.i232.15 = lshr i64 %shr45.i.15530, 32
  %and49.i = and i64 %or.i232.15, %144
  %tobool.not.not.i = icmp ne i64 %and49.i, 0
  %add51.i = add i64 %step.0.i400, 2
  %cmp3.i = icmp ult i64 %add51.i, %142
  %or.cond = select i1 %tobool.not.not.i, i1 %cmp3.i, i1 false
  br i1 %or.cond, label %for.cond6.i.preheader, label %cleanup52.i, !llvm.loop !16

cleanup52.i:                                      ; preds = %for.cond6.i.preheader, %if.else49
  %node.i.sroa.107.1 = phi i64 [ %145, %if.else49 ], [ %243, %for.cond6.i.preheader ]
  %node.i.sroa.100.1 = phi i64 [ %145, %if.else49 ], [ %240, %for.cond6.i.preheader ]
  %node.i.sroa.93.1 = phi i64 [ %145, %if.else49 ], [ %237, %for.cond6.i.preheader ]
  %node.i.sroa.86.1 = phi i64 [ %145, %if.else49 ], [ %234, %for.cond6.i.preheader ]
  %node.i.sroa.79.1 = phi i64 [ %145, %if.else49 ], [ %231, %for.cond6.i.preheader ]
  %node.i.sroa.72.1 = phi i64 [ %145, %if.else49 ], [ %228, %for.cond6.i.preheader ]
  %node.i.sroa.65.1 = phi i64 [ %145, %if.else49 ], [ %225, %for.cond6.i.preheader ]
  %node.i.sroa.58.1 = phi i64 [ %145, %if.else49 ], [ %222, %for.cond6.i.preheader ]
  %node.i.sroa.51.1 = phi i64 [ %145, %if.else49 ], [ %219, %for.cond6.i.preheader ]
  %node.i.sroa.44.1 = phi i64 [ %145, %if.else49 ], [ %216, %for.cond6.i.preheader ]
  %node.i.sroa.37.1 = phi i64 [ %145, %if.else49 ], [ %213, %for.cond6.i.preheader ]
  %node.i.sroa.30.1 = phi i64 [ %145, %if.else49 ], [ %210, %for.cond6.i.preheader ]
  %node.i.sroa.23.1 = phi i64 [ %145, %if.else49 ], [ %207, %for.cond6.i.preheader ]
  %node.i.sroa.16.1 = phi i64 [ %145, %if.else49 ], [ %204, %for.cond6.i.preheader ]
  %node.i.sroa.9.1 = phi i64 [ %145, %if.else49 ], [ %201, %for.cond6.i.preheader ]
  %node.i.sroa.0.1 = phi i64 [ %145, %if.else49 ], [ %198, %for.cond6.i.preheader ]
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
  br label %if.end58

if.end58:                                         ; preds = %for.end38.i, %if.then, %leaves_by_sets.exit, %cleanup52.i
  %leaves.0 = phi <16 x i32> [ %140, %leaves_by_sets.exit ], [ %vecins.i.15, %cleanup52.i ], [ zeroinitializer, %if.then ], [ %or52.i, %for.end38.i ]
  %add.ptr61.idx = mul i64 %mul59, %number.0410
  %add.ptr61 = getelementptr i8, ptr %sums, i64 %add.ptr61.idx
  br i1 %cmp62, label %if.then63, label %for.cond66.preheader

for.cond66.preheader:                             ; preds = %if.end58
  br i1 %cmp67405.not, label %if.end77, label %for.body69.preheader

for.body69.preheader:                             ; preds = %for.cond66.preheader
  %vecext.i = extractelement <16 x i32> %leaves.0, i64 0
  %conv.i253 = zext i32 %vecext.i to i64
  %mul.i254 = mul i64 %0, %conv.i253
  %vecext.i.1 = extractelement <16 x i32> %leaves.0, i64 1
  %conv.i253.1 = zext i32 %vecext.i.1 to i64
  %mul.i254.1 = mul i64 %0, %conv.i253.1
  %vecext.i.2 = extractelement <16 x i32> %leaves.0, i64 2
  %conv.i253.2 = zext i32 %vecext.i.2 to i64
  %mul.i254.2 = mul i64 %0, %conv.i253.2
  %vecext.i.3 = extractelement <16 x i32> %leaves.0, i64 3
  %conv.i253.3 = zext i32 %vecext.i.3 to i64
  %mul.i254.3 = mul i64 %0, %conv.i253.3
  %vecext.i.4 = extractelement <16 x i32> %leaves.0, i64 4
  %conv.i253.4 = zext i32 %vecext.i.4 to i64
  %mul.i254.4 = mul i64 %0, %conv.i253.4
  %vecext.i.5 = extractelement <16 x i32> %leaves.0, i64 5
  %conv.i253.5 = zext i32 %vecext.i.5 to i64
  %mul.i254.5 = mul i64 %0, %conv.i253.5
  %vecext.i.6 = extractelement <16 x i32> %leaves.0, i64 6
  %conv.i253.6 = zext i32 %vecext.i.6 to i64
  %mul.i254.6 = mul i64 %0, %conv.i253.6
  %vecext.i.7 = extractelement <16 x i32> %leaves.0, i64 7
  %conv.i253.7 = zext i32 %vecext.i.7 to i64
  %mul.i254.7 = mul i64 %0, %conv.i253.7
  %vecext.i.8 = extractelement <16 x i32> %leaves.0, i64 8
  %conv.i253.8 = zext i32 %vecext.i.8 to i64
  %mul.i254.8 = mul i64 %0, %conv.i253.8
  %vecext.i.9 = extractelement <16 x i32> %leaves.0, i64 9
  %conv.i253.9 = zext i32 %vecext.i.9 to i64
  %mul.i254.9 = mul i64 %0, %conv.i253.9
  %vecext.i.10 = extractelement <16 x i32> %leaves.0, i64 10
  %conv.i253.10 = zext i32 %vecext.i.10 to i64
  %mul.i254.10 = mul i64 %0, %conv.i253.10
  %vecext.i.11 = extractelement <16 x i32> %leaves.0, i64 11
  %conv.i253.11 = zext i32 %vecext.i.11 to i64
  %mul.i254.11 = mul i64 %0, %conv.i253.11
  %vecext.i.12 = extractelement <16 x i32> %leaves.0, i64 12
  %conv.i253.12 = zext i32 %vecext.i.12 to i64
  %mul.i254.12 = mul i64 %0, %conv.i253.12
  %vecext.i.13 = extractelement <16 x i32> %leaves.0, i64 13
  %conv.i253.13 = zext i32 %vecext.i.13 to i64
  %mul.i254.13 = mul i64 %0, %conv.i253.13
  %vecext.i.14 = extractelement <16 x i32> %leaves.0, i64 14
  %conv.i253.14 = zext i32 %vecext.i.14 to i64
  %mul.i254.14 = mul i64 %0, %conv.i253.14
  %vecext.i.15 = extractelement <16 x i32> %leaves.0, i64 15
  %conv.i253.15 = zext i32 %vecext.i.15 to i64
  %mul.i254.15 = mul i64 %0, %conv.i253.15
  br label %for.body69

if.then63:                                        ; preds = %if.end58
  %244 = load i64, ptr %adds_single72, align 8
  %vecext.i270 = extractelement <16 x i32> %leaves.0, i64 0
  %conv.i271 = zext i32 %vecext.i270 to i64
  %arrayidx.i273 = getelementptr double, ptr %add.ptr, i64 %conv.i271
  %245 = load double, ptr %arrayidx.i273, align 8
  %vecins.i274 = insertelement <16 x double> <double poison, double poison, double poison, double poison, double poison, double poison, double poison, double poison, double poison, double poison, double undef, double undef, double undef, double undef, double undef, double undef>, double %245, i64 0
  %vecext.i270.1 = extractelement <16 x i32> %leaves.0, i64 1
  %conv.i271.1 = zext i32 %vecext.i270.1 to i64
  %arrayidx.i273.1 = getelementptr double, ptr %add.ptr, i64 %conv.i271.1
  %246 = load double, ptr %arrayidx.i273.1, align 8
  %vecins.i274.1 = insertelement <16 x double> %vecins.i274, double %246, i64 1
  %vecext.i270.2 = extractelement <16 x i32> %leaves.0, i64 2
  %conv.i271.2 = zext i32 %vecext.i270.2 to i64
  %arrayidx.i273.2 = getelementptr double, ptr %add.ptr, i64 %conv.i271.2
  %247 = load double, ptr %arrayidx.i273.2, align 8
  %vecins.i274.2 = insertelement <16 x double> %vecins.i274.1, double %247, i64 2
  %vecext.i270.3 = extractelement <16 x i32> %leaves.0, i64 3
  %conv.i271.3 = zext i32 %vecext.i270.3 to i64
  %arrayidx.i273.3 = getelementptr double, ptr %add.ptr, i64 %conv.i271.3
  %248 = load double, ptr %arrayidx.i273.3, align 8
  %vecins.i274.3 = insertelement <16 x double> %vecins.i274.2, double %248, i64 3
  %vecext.i270.4 = extractelement <16 x i32> %leaves.0, i64 4
  %conv.i271.4 = zext i32 %vecext.i270.4 to i64
  %arrayidx.i273.4 = getelementptr double, ptr %add.ptr, i64 %conv.i271.4
  %249 = load double, ptr %arrayidx.i273.4, align 8
  %vecins.i274.4 = insertelement <16 x double> %vecins.i274.3, double %249, i64 4
  %vecext.i270.5 = extractelement <16 x i32> %leaves.0, i64 5
  %conv.i271.5 = zext i32 %vecext.i270.5 to i64
  %arrayidx.i273.5 = getelementptr double, ptr %add.ptr, i64 %conv.i271.5
  %250 = load double, ptr %arrayidx.i273.5, align 8
  %vecins.i274.5 = insertelement <16 x double> %vecins.i274.4, double %250, i64 5
  %vecext.i270.6 = extractelement <16 x i32> %leaves.0, i64 6
  %conv.i271.6 = zext i32 %vecext.i270.6 to i64
  %arrayidx.i273.6 = getelementptr double, ptr %add.ptr, i64 %conv.i271.6
  %251 = load double, ptr %arrayidx.i273.6, align 8
  %vecins.i274.6 = insertelement <16 x double> %vecins.i274.5, double %251, i64 6
  %vecext.i270.7 = extractelement <16 x i32> %leaves.0, i64 7
  %conv.i271.7 = zext i32 %vecext.i270.7 to i64
  %arrayidx.i273.7 = getelementptr double, ptr %add.ptr, i64 %conv.i271.7
  %252 = load double, ptr %arrayidx.i273.7, align 8
  %vecins.i274.7 = insertelement <16 x double> %vecins.i274.6, double %252, i64 7
  %vecext.i270.8 = extractelement <16 x i32> %leaves.0, i64 8
  %conv.i271.8 = zext i32 %vecext.i270.8 to i64
  %arrayidx.i273.8 = getelementptr double, ptr %add.ptr, i64 %conv.i271.8
  %253 = load double, ptr %arrayidx.i273.8, align 8
  %vecins.i274.8 = insertelement <16 x double> %vecins.i274.7, double %253, i64 8
  %vecext.i270.9 = extractelement <16 x i32> %leaves.0, i64 9
  %conv.i271.9 = zext i32 %vecext.i270.9 to i64
  %arrayidx.i273.9 = getelementptr double, ptr %add.ptr, i64 %conv.i271.9
  %254 = load double, ptr %arrayidx.i273.9, align 8
  %vecins.i274.9 = insertelement <16 x double> %vecins.i274.8, double %254, i64 9
  %vecext.i270.10 = extractelement <16 x i32> %leaves.0, i64 10
  %conv.i271.10 = zext i32 %vecext.i270.10 to i64
  %arrayidx.i273.10 = getelementptr double, ptr %add.ptr, i64 %conv.i271.10
  %255 = load double, ptr %arrayidx.i273.10, align 8
  %vecins.i274.10 = insertelement <16 x double> %vecins.i274.9, double %255, i64 10
  %vecext.i270.11 = extractelement <16 x i32> %leaves.0, i64 11
  %conv.i271.11 = zext i32 %vecext.i270.11 to i64
  %arrayidx.i273.11 = getelementptr double, ptr %add.ptr, i64 %conv.i271.11
  %256 = load double, ptr %arrayidx.i273.11, align 8
  %vecins.i274.11 = insertelement <16 x double> %vecins.i274.10, double %256, i64 11
  %vecext.i270.12 = extractelement <16 x i32> %leaves.0, i64 12
  %conv.i271.12 = zext i32 %vecext.i270.12 to i64
  %arrayidx.i273.12 = getelementptr double, ptr %add.ptr, i64 %conv.i271.12
  %257 = load double, ptr %arrayidx.i273.12, align 8
  %vecins.i274.12 = insertelement <16 x double> %vecins.i274.11, double %257, i64 12
  %vecext.i270.13 = extractelement <16 x i32> %leaves.0, i64 13
  %conv.i271.13 = zext i32 %vecext.i270.13 to i64
  %arrayidx.i273.13 = getelementptr double, ptr %add.ptr, i64 %conv.i271.13
  %258 = load double, ptr %arrayidx.i273.13, align 8
  %vecins.i274.13 = insertelement <16 x double> %vecins.i274.12, double %258, i64 13
  %vecext.i270.14 = extractelement <16 x i32> %leaves.0, i64 14
  %conv.i271.14 = zext i32 %vecext.i270.14 to i64
  %arrayidx.i273.14 = getelementptr double, ptr %add.ptr, i64 %conv.i271.14
  %259 = load double, ptr %arrayidx.i273.14, align 8
  %vecins.i274.14 = insertelement <16 x double> %vecins.i274.13, double %259, i64 14
  %vecext.i270.15 = extractelement <16 x i32> %leaves.0, i64 15
  %conv.i271.15 = zext i32 %vecext.i270.15 to i64
  %arrayidx.i273.15 = getelementptr double, ptr %add.ptr, i64 %conv.i271.15
  %260 = load double, ptr %arrayidx.i273.15, align 8
  %vecins.i274.15 = insertelement <16 x double> %vecins.i274.14, double %260, i64 15
  %add.ptr64 = getelementptr <16 x double>, ptr %add.ptr61, i64 %62
  %261 = load <16 x double>, ptr %add.ptr64, align 8
  %add.i264 = fadd <16 x double> %vecins.i274.15, %261
  %tobool.not.i265 = icmp eq i64 %244, 0
  %conv1.i266 = fptrunc <16 x double> %add.i264 to <16 x float>
  %conv2.i267 = fpext <16 x float> %conv1.i266 to <16 x double>
  %cond.i268 = select i1 %tobool.not.i265, <16 x double> %add.i264, <16 x double> %conv2.i267
  store <16 x double> %cond.i268, ptr %add.ptr64, align 8
  br label %if.end77

for.body69:                                       ; preds = %for.body69.preheader, %for.body69
  %output.0406 = phi i64 [ %inc75, %for.body69 ], [ 0, %for.body69.preheader ]
  %add.ptr71 = getelementptr double, ptr %add.ptr, i64 %output.0406
  %262 = load i64, ptr %adds_single72, align 8
  %arrayidx.i255 = getelementptr double, ptr %add.ptr71, i64 %mul.i254
  %263 = load double, ptr %arrayidx.i255, align 8
  %vecins.i256 = insertelement <16 x double> <double poison, double poison, double poison, double poison, double poison, double poison, double poison, double poison, double poison, double poison, double undef, double undef, double undef, double undef, double undef, double undef>, double %263, i64 0
  %arrayidx.i255.1 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.1
  %264 = load double, ptr %arrayidx.i255.1, align 8
  %vecins.i256.1 = insertelement <16 x double> %vecins.i256, double %264, i64 1
  %arrayidx.i255.2 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.2
  %265 = load double, ptr %arrayidx.i255.2, align 8
  %vecins.i256.2 = insertelement <16 x double> %vecins.i256.1, double %265, i64 2
  %arrayidx.i255.3 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.3
  %266 = load double, ptr %arrayidx.i255.3, align 8
  %vecins.i256.3 = insertelement <16 x double> %vecins.i256.2, double %266, i64 3
  %arrayidx.i255.4 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.4
  %267 = load double, ptr %arrayidx.i255.4, align 8
  %vecins.i256.4 = insertelement <16 x double> %vecins.i256.3, double %267, i64 4
  %arrayidx.i255.5 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.5
  %268 = load double, ptr %arrayidx.i255.5, align 8
  %vecins.i256.5 = insertelement <16 x double> %vecins.i256.4, double %268, i64 5
  %arrayidx.i255.6 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.6
  %269 = load double, ptr %arrayidx.i255.6, align 8
  %vecins.i256.6 = insertelement <16 x double> %vecins.i256.5, double %269, i64 6
  %arrayidx.i255.7 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.7
  %270 = load double, ptr %arrayidx.i255.7, align 8
  %vecins.i256.7 = insertelement <16 x double> %vecins.i256.6, double %270, i64 7
  %arrayidx.i255.8 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.8
  %271 = load double, ptr %arrayidx.i255.8, align 8
  %vecins.i256.8 = insertelement <16 x double> %vecins.i256.7, double %271, i64 8
  %arrayidx.i255.9 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.9
  %272 = load double, ptr %arrayidx.i255.9, align 8
  %vecins.i256.9 = insertelement <16 x double> %vecins.i256.8, double %272, i64 9
  %arrayidx.i255.10 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.10
  %273 = load double, ptr %arrayidx.i255.10, align 8
  %vecins.i256.10 = insertelement <16 x double> %vecins.i256.9, double %273, i64 10
  %arrayidx.i255.11 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.11
  %274 = load double, ptr %arrayidx.i255.11, align 8
  %vecins.i256.11 = insertelement <16 x double> %vecins.i256.10, double %274, i64 11
  %arrayidx.i255.12 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.12
  %275 = load double, ptr %arrayidx.i255.12, align 8
  %vecins.i256.12 = insertelement <16 x double> %vecins.i256.11, double %275, i64 12
  %arrayidx.i255.13 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.13
  %276 = load double, ptr %arrayidx.i255.13, align 8
  %vecins.i256.13 = insertelement <16 x double> %vecins.i256.12, double %276, i64 13
  %arrayidx.i255.14 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.14
  %277 = load double, ptr %arrayidx.i255.14, align 8
  %vecins.i256.14 = insertelement <16 x double> %vecins.i256.13, double %277, i64 14
  %arrayidx.i255.15 = getelementptr double, ptr %add.ptr71, i64 %mul.i254.15
  %278 = load double, ptr %arrayidx.i255.15, align 8
  %vecins.i256.15 = insertelement <16 x double> %vecins.i256.14, double %278, i64 15
  %add.ptr70 = getelementptr <16 x double>, ptr %add.ptr61, i64 %output.0406
  %279 = load <16 x double>, ptr %add.ptr70, align 8
  %add.i249 = fadd <16 x double> %vecins.i256.15, %279
  %tobool.not.i250 = icmp eq i64 %262, 0
  %conv1.i = fptrunc <16 x double> %add.i249 to <16 x float>
  %conv2.i = fpext <16 x float> %conv1.i to <16 x double>
  %cond.i251 = select i1 %tobool.not.i250, <16 x double> %add.i249, <16 x double> %conv2.i
  store <16 x double> %cond.i251, ptr %add.ptr70, align 8
  %inc75 = add nuw i64 %output.0406, 1
  %exitcond461.not = icmp eq i64 %inc75, %0
  br i1 %exitcond461.not, label %if.end77, label %for.body69, !llvm.loop !17

if.end77:                                         ; preds = %for.body69, %for.cond66.preheader, %if.then63
  %inc79 = add nuw nsw i64 %number.0410, 1
  %exitcond463.not = icmp eq i64 %inc79, %div204
  br i1 %exitcond463.not, label %for.cond.cleanup28.loopexit, label %for.body29, !llvm.loop !18

for.cond89.preheader:                             ; preds = %for.cond84.preheader, %for.cond.cleanup91
  %row.0416 = phi i64 [ %inc108, %for.cond.cleanup91 ], [ 0, %for.cond84.preheader ]
  br i1 %cmp67405.not, label %for.cond.cleanup91, label %for.body92.lr.ph

for.body92.lr.ph:                                 ; preds = %for.cond89.preheader
  %div93205 = lshr i64 %row.0416, 4
  %mul94 = mul i64 %div93205, %0
  %rem97 = and i64 %row.0416, 15
  %add100 = add i64 %row.0416, %first.0418
  %mul101 = mul i64 %add100, %0
  %280 = getelementptr double, ptr %out, i64 %mul101
  br label %for.body92

for.cond.cleanup86:                               ; preds = %for.cond.cleanup91, %for.cond84.preheader
  %281 = load i64, ptr %height, align 8
  %mul112 = shl i64 %281, 4
  %add113 = add i64 %mul112, %first.0418
  %cmp = icmp ult i64 %add113, %stop
  br i1 %cmp, label %for.body, label %for.cond.cleanup, !llvm.loop !19

for.cond.cleanup91:                               ; preds = %for.body92, %for.cond89.preheader
  %inc108 = add nuw i64 %row.0416, 1
  %exitcond465.not = icmp eq i64 %inc108, %sub.mul2
  br i1 %exitcond465.not, label %for.cond.cleanup86, label %for.cond89.preheader, !llvm.loop !20

for.body92:                                       ; preds = %for.body92.lr.ph, %for.body92
  %output88.0414 = phi i64 [ 0, %for.body92.lr.ph ], [ %inc105, %for.body92 ]
  %add95 = add i64 %output88.0414, %mul94
  %mul96 = shl i64 %add95, 4
  %add98 = or disjoint i64 %mul96, %rem97
  %arrayidx99 = getelementptr double, ptr %sums, i64 %add98
  %282 = load double, ptr %arrayidx99, align 8
  %arrayidx103 = getelementptr double, ptr %280, i64 %output88.0414
  store double %282, ptr %arrayidx103, align 8
  %inc105 = add nuw i64 %output88.0414, 1
  %exitcond464.not = icmp eq i64 %inc105, %0
  br i1 %exitcond464.not, label %for.cond.cleanup91, label %for.body92, !llvm.loop !21
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
  br i1 %exitcond.not, label %for.body12.preheader, label %for.body4, !llvm.loop !22

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
  br i1 %exitcond67.not, label %for.body23, label %for.body12, !llvm.loop !23

for.cond.cleanup22:                               ; preds = %for.body23, %for.cond9.preheader
  %add.ptr29 = getelementptr double, ptr %row.066, i64 %outputs
  %cmp = icmp ult ptr %add.ptr29, %add.ptr
  br i1 %cmp, label %for.body, label %for.cond.cleanup, !llvm.loop !24

for.body23:                                       ; preds = %for.body12, %for.body23
  %output19.064 = phi i64 [ %inc26, %for.body23 ], [ 0, %for.body12 ]
  %arrayidx24 = getelementptr double, ptr %row.066, i64 %output19.064
  %3 = load double, ptr %arrayidx24, align 8
  %div = fdiv double %3, %add
  store double %div, ptr %arrayidx24, align 8
  %inc26 = add nuw i64 %output19.064, 1
  %exitcond68.not = icmp eq i64 %inc26, %outputs
  br i1 %exitcond68.not, label %for.cond.cleanup22, label %for.body23, !llvm.loop !25
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
  br i1 %exitcond.not, label %for.body12.preheader, label %for.body4, !llvm.loop !26

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
  br i1 %exitcond69.not, label %for.body24.lr.ph, label %for.body12, !llvm.loop !27

for.cond.cleanup23:                               ; preds = %for.body24, %for.cond9.preheader
  %add.ptr31 = getelementptr float, ptr %row.068, i64 %outputs
  %cmp = icmp ult ptr %add.ptr31, %add.ptr
  br i1 %cmp, label %for.body, label %for.cond.cleanup, !llvm.loop !28

for.body24:                                       ; preds = %for.body24.lr.ph, %for.body24
  %output19.066 = phi i64 [ 0, %for.body24.lr.ph ], [ %inc28, %for.body24 ]
  %arrayidx26 = getelementptr float, ptr %row.068, i64 %output19.066
  %3 = load float, ptr %arrayidx26, align 4
  %div = fdiv float %3, %conv25
  store float %div, ptr %arrayidx26, align 4
  %inc28 = add nuw i64 %output19.066, 1
  %exitcond70.not = icmp eq i64 %inc28, %outputs
  br i1 %exitcond70.not, label %for.cond.cleanup23, label %for.body24, !llvm.loop !29
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
  br i1 %exitcond.not, label %for.cond.cleanup, label %for.body, !llvm.loop !30
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
  br i1 %exitcond.not, label %for.cond.cleanup, label %for.body, !llvm.loop !31
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
  br i1 %exitcond.not, label %for.cond.cleanup, label %for.body, !llvm.loop !32
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
  br i1 %exitcond.not, label %for.cond.cleanup, label %for.body, !llvm.loop !33
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
  br i1 %exitcond.not, label %for.cond.cleanup, label %for.body, !llvm.loop !34
}

declare dso_local double @log1p(double noundef) local_unnamed_addr #3

; Function Attrs: mustprogress nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare <16 x double> @llvm.fabs.v16f64(<16 x double>) #4

; Function Attrs: mustprogress nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare <16 x i32> @llvm.umin.v16i32(<16 x i32>, <16 x i32>) #4

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
!34 = distinct !{!34, !2, !3}
